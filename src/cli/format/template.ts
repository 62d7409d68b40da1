// Go's text/template as Docker's users write it: `{{.State.Pid}}`, `{{(index .Mounts 0).Name}}`, `{{range .Mounts}}...`.
// Parsed by template-parse.ts, executed here on plain values, printed as Go would (go-value.ts).

import { TinyrunError } from '../../errors.ts';
import { entriesOf, fieldValue, isRecord, isStruct, isTrue, printGo, typeName } from './go-value.ts';
import { functions, SHORT_CIRCUIT, type TemplateFunction } from './template-functions.ts';
import {
  type Block,
  type Command,
  type Node,
  type Operand,
  type Pipe,
  parseTemplate,
} from './template-parse.ts';

/**
 * Fills in a template.
 * @param template in the language of Go's text/template with Docker's functions
 * @param value what `.` is; functions among its fields are methods: `{{.Label "x"}}`
 * @throws TinyrunError USAGE in Go's words: a mistake in the template, or a field that is not there
 */
export const renderTemplate = (template: string, value: unknown): string => compileTemplate(template)(value);

/**
 * The same for many values: the template is parsed once.
 * @param others in place of the functions of these names
 * @throws TinyrunError USAGE
 */
export function compileTemplate(
  template: string,
  others: Readonly<Record<string, TemplateFunction>> = {},
): (value: unknown) => string {
  const nodes = parseTemplate(template);
  const known = new Map(Object.entries({ ...functions, ...others }));
  return (value) => {
    const run: Run = { template, functions: known, output: [], variables: [['$', value]] };
    runNodes(run, nodes, value);
    return run.output.join('');
  };
}

interface Run {
  template: string;
  functions: ReadonlyMap<string, TemplateFunction>;
  output: string[];
  /** The innermost last. */
  variables: [string, unknown][];
}

/** Why a list of nodes was left before its end. */
type Left = 'break' | 'continue' | undefined;

function runNodes(run: Run, nodes: readonly Node[], dot: unknown): Left {
  for (const node of nodes) {
    const left = runNode(run, node, dot);
    if (left !== undefined) return left;
  }
  return undefined;
}

function runNode(run: Run, node: Node, dot: unknown): Left {
  if (node.kind === 'text') {
    run.output.push(node.text);
    return undefined;
  }
  if (node.kind === 'break' || node.kind === 'continue') return node.kind;
  if (node.kind === 'print') {
    const value = runPipe(run, node.pipe, dot);
    if (node.pipe.variables.length === 0) run.output.push(printGo(value));
    return undefined;
  }
  return runBlock(run, node, dot);
}

function runBlock(run: Run, block: Block, dot: unknown): Left {
  const scope = run.variables.length;
  const value = runPipe(run, block.pipe, dot);
  const inner = block.kind === 'with' ? value : dot;
  let left: Left;
  if (block.kind === 'range') left = runRange(run, block, value, dot);
  else left = isTrue(value) ? runNodes(run, block.body, inner) : runNodes(run, block.otherwise, dot);
  run.variables.length = scope;
  return left;
}

function runRange(run: Run, block: Block, value: unknown, dot: unknown): Left {
  const elements = elementsOf(run, block.pipe, value);
  if (elements.length === 0) return runNodes(run, block.otherwise, dot);
  const { variables, declares } = block.pipe;
  const scope = run.variables.length;
  for (const [key, element] of elements) {
    const values = variables.length === 2 ? [key, element] : [element];
    variables.forEach((name, index) => {
      setVariable(run, name, values[index], declares);
    });
    const left = runNodes(run, block.body, element);
    run.variables.length = scope;
    if (left === 'break') break;
  }
  return undefined;
}

function elementsOf(run: Run, pipe: Pipe, value: unknown): [unknown, unknown][] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.map((element, index) => [index, element]);
  if (typeof value === 'number' && Number.isInteger(value))
    return Array.from({ length: Math.max(0, value) }, (_, index) => [index, index]);
  if (isRecord(value)) return entriesOf(value);
  throw failure(run, pipe.commands[0]![0], `range can't iterate over ${printGo(value)}`);
}

function setVariable(run: Run, name: string, value: unknown, declares: boolean): void {
  if (declares) run.variables.push([name, value]);
  else variableOf(run, name)[1] = value;
}

function variableOf(run: Run, name: string): [string, unknown] {
  const found = run.variables.findLast(([called]) => called === name);
  if (found === undefined)
    throw new TinyrunError('USAGE', `template parsing error: template: :1: undefined variable "${name}"`, {
      exit: 64,
    });
  return found;
}

const NOTHING = Symbol('no argument from before');

function runPipe(run: Run, pipe: Pipe, dot: unknown): unknown {
  let value: unknown = NOTHING;
  for (const command of pipe.commands) value = runCommand(run, command, dot, value);
  // A range sets its variables for each element.
  if (pipe.variables.length === 1) setVariable(run, pipe.variables[0]!, value, pipe.declares);
  return value;
}

/** @param last the result of the command before, or NOTHING */
function runCommand(run: Run, [first, ...rest]: Command, dot: unknown, last: unknown): unknown {
  const more = last === NOTHING ? [] : [last];
  if (first.base.kind === 'function' && first.fields.length === 0) {
    const { name } = first.base;
    if (!Object.hasOwn(SHORT_CIRCUIT, name))
      return callFunction(run, first, [...rest.map((operand) => evaluate(run, operand, dot)), ...more]);
    let value: unknown;
    for (const operand of rest) {
      value = evaluate(run, operand, dot);
      if (isTrue(value) === SHORT_CIRCUIT[name]) return value;
    }
    return more.length > 0 ? last : value;
  }
  return evaluate(run, first, dot, [...rest.map((operand) => evaluate(run, operand, dot)), ...more]);
}

function callFunction(run: Run, operand: Operand, values: unknown[]): unknown {
  const name = operand.base.kind === 'function' ? operand.base.name : '';
  const called = run.functions.get(name);
  if (called === undefined)
    throw new TinyrunError('USAGE', `template parsing error: template: :1: function "${name}" not defined`, {
      exit: 64,
    });
  if (values.length < called.length)
    throw failure(
      run,
      operand,
      `wrong number of args for ${name}: want ${called.length} got ${values.length}`,
    );
  try {
    return called(...values);
  } catch (error) {
    if (error instanceof TinyrunError || !(error instanceof Error)) throw error;
    throw failure(run, operand, `error calling ${name}: ${error.message}`);
  }
}

/** @param values arguments of a method; a value that is none takes none */
function evaluate(run: Run, operand: Operand, dot: unknown, values: readonly unknown[] = []): unknown {
  let value = baseOf(run, operand, dot);
  for (const name of operand.fields) value = fieldOf(run, operand, value, name);
  if (typeof value === 'function') return value(...values);
  if (values.length > 0)
    throw failure(run, operand, `can't give argument to non-function ${written(operand)}`);
  return value;
}

function baseOf(run: Run, operand: Operand, dot: unknown): unknown {
  const { base } = operand;
  if (base.kind === 'dot') return dot;
  if (base.kind === 'literal') return base.value;
  if (base.kind === 'variable') return variableOf(run, base.name)[1];
  if (base.kind === 'pipe') return runPipe(run, base.pipe, dot);
  return callFunction(run, operand, []);
}

/**
 * A field. Where Docker's Go type and its JSON differ in case (`.ID`, `.Id`), both are understood. Of a map, a name that
 * is not there is nothing; of a struct, it is a mistake.
 */
function fieldOf(run: Run, operand: Operand, value: unknown, name: string): unknown {
  if (value === null || value === undefined)
    throw failure(run, operand, `nil data; no entry for key "${name}"`);
  if (!isRecord(value))
    throw failure(run, operand, `can't evaluate field ${name} in type ${typeName(value)}`);
  if (value instanceof Map) return value.get(name);
  if (Object.hasOwn(value, name)) return fieldValue(name, value[name]);
  if (!isStruct(value)) return undefined;
  const alike = Object.keys(value).filter((key) => key.toLowerCase() === name.toLowerCase());
  if (alike.length === 1 && /^[A-Z]/.test(name)) return value[alike[0]!];
  throw failure(run, operand, `map has no entry for key "${name}"`, {
    hint: `its fields: ${Object.keys(value).join(', ')}`,
  });
}

/** An operand as it is written, for messages. */
function written({ base, fields }: Operand): string {
  const names = fields.map((name) => `.${name}`).join('');
  if (base.kind === 'dot') return names || '.';
  if (base.kind === 'literal') return JSON.stringify(base.value);
  return `${base.kind === 'pipe' ? '(...)' : base.name}${names}`;
}

/** A template that does not fit its value. */
const failure = (run: Run, operand: Operand, why: string, options: { hint?: string } = {}): TinyrunError =>
  new TinyrunError(
    'USAGE',
    `template parsing error: template: :1:${columnOf(run.template, operand.at)}: executing "" at <${written(operand)}>: ${why}`,
    options,
  );

/** Go counts bytes from the line's beginning. */
const columnOf = (template: string, at: number): number =>
  new TextEncoder().encode(template.slice(template.lastIndexOf('\n', at - 1) + 1, at)).length;
