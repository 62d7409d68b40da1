// A page that can be followed: the commands of its indented blocks are typed into one shell, and what they print must be
// what the page shows. Ids, times and sizes are compared by their form alone.
//
//     # echo one; echo two
//     one
//     two

import { readFileSync } from 'node:fs';
import { runCommand } from './container.ts';

export interface Step {
  /** Line of the page, from 1. */
  line: number;
  command: string;
  output: string;
}

/** The commands of a page's blocks that begin with a root prompt, each with the lines below it. */
export function readSteps(page: string): Step[] {
  const steps: Step[] = [];
  let step: Step | undefined;
  page.split('\n').forEach((line, index) => {
    if (!line.startsWith('    ')) {
      if (line !== '') step = undefined;
      return;
    }
    const text = line.slice(4);
    if (text.startsWith('# ')) {
      step = { line: index + 1, command: text.slice(2), output: '' };
      steps.push(step);
    } else if (step?.output === '' && step.command.endsWith('\\')) step.command += `\n${text}`;
    else if (step !== undefined) step.output += `${text}\n`;
  });
  return steps;
}

/** What differs from run to run, and from machine to machine, by its form: ids, times, filesystems. */
function form(text: string): string {
  return text
    .replace(/\b[0-9a-f]{64}\b/g, 'ID64')
    .replace(/\b[0-9a-f]{14}…/g, 'ID14')
    .replace(/\b[0-9a-f]{12}\b/g, 'ID12')
    .replace(/ type (ext4|xfs|btrfs|overlay|tmpfs) \([^)]*\)/g, ' type FILESYSTEM')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, 'TIME')
    .replace(/mnt:\[\d+\](, has \d+ mounts)?/g, 'NAMESPACE')
    .replace(/\b[\d.]+[kM]?B\b/g, 'SIZE')
    .replace(/(Less than a|About an?|\d+) (second|minute|hour)s?( ago)?/g, 'DURATION')
    .replace(/[ \t]+/g, ' ')
    .replace(/\n{2,}/g, '\n')
    .trim();
}

const END = '@@end of step@@';
const DATA_ROOT = '/var/lib/tinyrun';

/**
 * Follows a page in a bash of its own.
 * @param preamble shell words before its first command
 * @param dataRoot what stands where the page has /var/lib/tinyrun, in commands and outputs
 * @param which the steps to follow, all of them if it is not said
 * @param shell the words that take a script
 * @throws Error naming the line of the page, what it shows and what was printed
 */
export function follow(
  path: string,
  preamble: string,
  env: Record<string, string | undefined>,
  dataRoot: string,
  { which = () => true, shell = ['bash', '-c'] }: { which?: (step: Step) => boolean; shell?: string[] } = {},
): void {
  const steps = readSteps(readFileSync(path, 'utf8')).filter(which);
  if (steps.length === 0) throw new Error(`${path}: no step is in it`);
  const script = steps
    .map(({ command }) => `{ ${command.replaceAll(DATA_ROOT, dataRoot)}\n} 2>&1\necho '${END}'`)
    .join('\n');
  const { stdout, stderr } = runCommand([...shell, `${preamble}\n${script}`], { env });
  const outputs = stdout.split(`${END}\n`);
  steps.forEach(({ line, command, output }, i) => {
    const printed = (outputs[i] ?? '').replaceAll(dataRoot, DATA_ROOT);
    if (form(printed) !== form(output))
      throw new Error(
        `${path}:${line}: ${command}\nthe page shows:\n${output}it printed:\n${printed}${stderr}`,
      );
  });
}
