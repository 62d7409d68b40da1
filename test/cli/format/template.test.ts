import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderTemplate } from '../../../src/cli/format/template.ts';
import { TinyrunError } from '../../../src/errors.ts';

const CONTAINER = {
  Id: 'd4f6',
  Name: '/web',
  State: { Status: 'running', Running: true, Pid: 42, Error: '' },
  Mounts: [
    {
      Type: 'volume',
      Name: 'data',
      Source: '/v/data/_data',
      Destination: '/d',
      Driver: 'local',
      Mode: '',
      RW: true,
      Propagation: '',
    },
    {
      Type: 'bind',
      Name: undefined,
      Source: '/h',
      Destination: '/e',
      Driver: undefined,
      Mode: 'ro',
      RW: false,
      Propagation: 'rprivate',
    },
  ],
  Config: {
    Env: ['A=1', 'B=2'],
    Labels: { 'com.b': 'y', a: 'x' },
    Volumes: { '/v': {} },
    Health: null,
    Cmd: null,
    ExposedPorts: null,
  },
  HostConfig: { NanoCpus: 1500000000, ShmSize: 67108864, Binds: [], Ratio: 0.25, Tiny: 0.00001 },
  Label: (name: string) => `label ${name}`,
};

/** What Go's text/template with Docker's functions prints. */
const VALID: Readonly<Record<string, string>> = {
  '': '',
  'plain }} text': 'plain }} text',
  '{{.Name}}': '/web',
  '{{ .Name }}': '/web',
  '{{.State.Status}} {{.State.Pid}}': 'running 42',
  '{{.State.Running}}': 'true',
  '{{.State.Error}}': '',
  // Fields by Go's name and by JSON's
  '{{.ID}} {{.Id}}': 'd4f6 d4f6',
  '{{.HostConfig.NanoCPUs}}': '1500000000',
  // Values as Go prints them
  '{{.State}}': '{running true 42 }',
  '{{.Mounts}}': '[{volume data /v/data/_data /d local  true } {bind  /h /e  ro false rprivate}]',
  '{{.Config.Env}}': '[A=1 B=2]',
  '{{.Config.Labels}}': 'map[a:x com.b:y]',
  '{{.Config.Volumes}}': 'map[/v:map[]]',
  '{{.Config.Health}}': '<no value>',
  '{{.Config}}': '{[A=1 B=2] map[a:x com.b:y] map[/v:map[]] <nil> [] map[]}',
  // A field that is a slice or a map, and has none
  '{{.Config.Cmd}} {{.Config.ExposedPorts}}': '[] map[]',
  '{{json .Config.Cmd}} {{len .Config.ExposedPorts}} {{if .Config.Cmd}}some{{end}}': 'null 0 ',
  '{{.HostConfig.ShmSize}}': '67108864',
  '{{.HostConfig.Binds}}': '[]',
  '{{.HostConfig.Ratio}} {{.HostConfig.Tiny}}': '0.25 1e-05',
  '{{.Config.Labels.a}} {{.Config.Labels.none}}': 'x <no value>',
  // Literals
  '{{"a\\tb\\x41\\u00e9"}}': 'a\tbA\u00e9',
  '{{`raw\\n`}}': 'raw\\n',
  "{{'a'}}": '97',
  '{{1}} {{-2}} {{0x10}} {{1_000}} {{1.5}}': '1 -2 16 1000 1.5',
  '{{true}} {{false}}': 'true false',
  // Spaces and comments
  'a  {{- .ID -}}  b': 'ad4f6b',
  'a {{/* nothing */}} b': 'a  b',
  'a {{- /* nothing */ -}} b': 'ab',
  // Conditions
  '{{if .State.Running}}up{{else}}down{{end}}': 'up',
  '{{if .State.Error}}bad{{else}}good{{end}}': 'good',
  '{{if .HostConfig.Binds}}some{{else if .State.Pid}}pid{{else}}none{{end}}': 'pid',
  '{{if not .State.Error}}fine{{end}}': 'fine',
  '{{if and .State.Running (eq .State.Pid 42)}}yes{{end}}': 'yes',
  '{{if or .State.Error .Config.Health}}yes{{else}}no{{end}}': 'no',
  '{{and .Config.Health .Config.Health.X}}': '<no value>',
  '{{or .State.Pid .Config.Health.X}}': '42',
  '{{with .State}}{{.Pid}}{{end}}': '42',
  '{{with .State.Error}}{{.}}{{else}}{{.Name}}{{end}}': '/web',
  '{{with $x := .State.Pid}}{{$x}}{{end}}': '42',
  // Loops
  '{{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}': 'volume:/d bind:/e ',
  '{{range $i, $m := .Mounts}}{{$i}}={{$m.Type}} {{end}}': '0=volume 1=bind ',
  '{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}};{{end}}': 'a:x;com.b:y;',
  '{{range .HostConfig.Binds}}x{{else}}none{{end}}': 'none',
  '{{range .Config.Env}}{{$.Name}}{{.}} {{end}}': '/webA=1 /webB=2 ',
  '{{range .Config.Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}}{{end}}': 'A=1',
  '{{range .Config.Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}}{{end}}': 'B=2',
  '{{range 3}}{{.}}{{end}}': '012',
  '{{range .Config.Health}}x{{end}}': '',
  // Variables
  '{{$p := .State.Pid}}{{$p}}': '42',
  '{{$n := 0}}{{range .Mounts}}{{$n = .Type}}{{end}}{{$n}}': 'bind',
  '{{$s := .State}}{{$s.Pid}} {{$.Name}}': '42 /web',
  // Functions
  '{{json .State}}': '{"Status":"running","Running":true,"Pid":42,"Error":""}',
  '{{json .Config.Labels}}': '{"a":"x","com.b":"y"}',
  '{{.Config.Health | json}}': 'null',
  '{{json "<a&b>"}}': '"<a&b>"',
  '{{index .Config.Labels "com.b"}}': 'y',
  '{{index .Config.Labels "none"}}': '',
  '{{(index .Mounts 0).Name}}': 'data',
  '{{(index .Mounts 1).Propagation}}': 'rprivate',
  '{{(index .Mounts 1).Name}}|{{json (index .Mounts 1)}}':
    '|{"Type":"bind","Source":"/h","Destination":"/e","Mode":"ro","RW":false,"Propagation":"rprivate"}',
  '{{with index .Mounts 0}}{{.Driver}}{{end}}': 'local',
  '{{index .Mounts 0 "Name"}}': 'data',
  '{{len .Mounts}} {{len .Name}} {{len .Config.Labels}} {{len "é"}}': '2 4 2 2',
  '{{join .Config.Env ","}}': 'A=1,B=2',
  '{{split "a:b" ":"}}': '[a b]',
  '{{index (split .Name "/") 1}}': 'web',
  '{{upper .Name}} {{lower "ABC"}} {{title "one two"}}': '/WEB abc One Two',
  '{{truncate .Name 2}}|{{truncate .Name 9}}|{{pad "x" 1 2}}|{{pad "" 1 1}}|': '/w|/web| x  ||',
  '{{slice .Name 1}} {{slice .Name 1 3}} {{slice .Config.Env 0 1}}': 'web we [A=1]',
  '{{printf "%s-%d-%v" .Name .State.Pid .Config.Env}}': '/web-42-[A=1 B=2]',
  '{{printf "%q %5d|%-5d|%05d|%x %X %.2f %t %%" "a\\"b" 42 42 42 255 255 1.5 true}}':
    '"a\\"b"    42|42   |00042|ff FF 1.50 true %',
  '{{printf "%.3s|%-6s|%6s|" "abcdef" "ab" "cd"}}': 'abc|ab    |    cd|',
  '{{printf "%d %s" "x"}}': '%!d(string=x) %!s(MISSING)',
  '{{printf "a" 1}}': 'a%!(EXTRA int=1)',
  '{{print .Name 1 2 "x"}}': '/web1 2x',
  '{{println .Name 1}}': '/web 1\n',
  '{{.Name | printf "%s!" | upper}}': '/WEB!',
  '{{eq .State.Status "created" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge "b" "a"}} {{gt 1 1}} {{le 1 1}}':
    'true true true true false true',
  '{{html "<a>"}} {{urlquery "a b&c"}}': '&lt;a&gt; a+b%26c',
  '{{.Label "x"}}': 'label x',
  '{{printf "%s" (.Label "y") | upper}}': 'LABEL Y',
};

for (const [template, printed] of Object.entries(VALID))
  test(`template: ${template} is ${JSON.stringify(printed)}`, () => {
    assert.is(renderTemplate(template, CONTAINER), printed);
  });

const INVALID: Readonly<Record<string, string>> = {
  '{{.Name': 'template: :1: unclosed action',
  '{{.Name}': 'template: :1: unexpected "}" in operand',
  '{{}}': 'template: :1: missing value for command',
  '{{"a}}': 'template: :1: unterminated quoted string',
  '{{if}}{{end}}': 'template: :1: missing value for if',
  '{{if .Name}}': 'template: :1: unexpected EOF',
  '{{end}}': 'template: :1: unexpected {{end}}',
  '{{else}}': 'template: :1: unexpected {{else}}',
  '{{if .Name}}{{else}}{{else}}{{end}}': 'template: :1: expected end; found {{else}}',
  '{{break}}': 'template: :1: {{break}} outside {{range}}',
  '{{(.Name}}': 'template: :1: unclosed left paren',
  '{{.Name)}}': 'template: :1: unexpected ")" in command',
  '{{nope .Name}}': 'template: :1: function "nope" not defined',
  '{{$nope}}': 'template: :1: undefined variable "$nope"',
  '{{template "x"}}': 'template: :1: {{template}} is not supported',
  '{{.Nope}}': 'template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"',
  'é {{.State.Nope}}': 'template: :1:5: executing "" at <.State.Nope>: map has no entry for key "Nope"',
  '{{.Name.X}}': `template: :1:2: executing "" at <.Name.X>: can't evaluate field X in type string`,
  '{{.Config.Health.X}}':
    'template: :1:2: executing "" at <.Config.Health.X>: nil data; no entry for key "X"',
  '{{.Name 1}}': `template: :1:2: executing "" at <.Name>: can't give argument to non-function .Name`,
  '{{index .Mounts 2}}':
    'template: :1:2: executing "" at <index>: error calling index: index out of range: 2',
  '{{index .Mounts "x"}}':
    'template: :1:2: executing "" at <index>: error calling index: cannot index slice/array with type string',
  '{{len .State.Pid}}': 'template: :1:2: executing "" at <len>: error calling len: len of type int',
  '{{upper 1}}':
    'template: :1:2: executing "" at <upper>: error calling upper: wrong type for value; expected string; got int',
  '{{join .Config.Env}}':
    'template: :1:2: executing "" at <join>: wrong number of args for join: want 2 got 1',
  '{{eq 1 "a"}}': 'template: :1:2: executing "" at <eq>: error calling eq: incompatible types for comparison',
  '{{range .Name}}{{end}}': `template: :1:8: executing "" at <.Name>: range can't iterate over /web`,
};

for (const [template, message] of Object.entries(INVALID))
  test(`template: ${template} is refused`, () => {
    try {
      renderTemplate(template, CONTAINER);
    } catch (error) {
      assert.instance(error, TinyrunError);
      assert.is((error as TinyrunError).message, `template parsing error: ${message}`);
      return;
    }
    assert.unreachable('it was not refused');
  });

test('template: a mistyped field is told beside those that are there', () => {
  try {
    renderTemplate('{{.State.Stats}}', CONTAINER);
    assert.unreachable('it was not refused');
  } catch (error) {
    assert.is((error as TinyrunError).hint, 'its fields: Status, Running, Pid, Error');
  }
});

test('template: Maps are maps, whatever their names, sorted', () => {
  const value = {
    Labels: new Map([
      ['B', '1'],
      ['A', '2'],
    ]),
  }; // prettier-ignore
  assert.is(
    renderTemplate('{{.Labels}} {{json .Labels}} {{.Labels.C}}', value),
    'map[A:2 B:1] {"A":"2","B":"1"} <no value>',
  );
});

test.run();
