// --security-opt -> what it says, by Docker's grammar: `KEY=VALUE`, or Docker's old `KEY:VALUE`, or a word alone.
//
//   no-new-privileges[=true|false]   seccomp=PROFILE|unconfined|builtin   apparmor=PROFILE|unconfined
//   label=disable                    systempaths=unconfined               writable-cgroups[=true|false]

import { TinyrunError } from '../errors.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** The text of a profile; undefined: Docker's; `unconfined`: no filter. */
  seccomp: string | undefined;
  /** undefined: none. */
  apparmor: string | undefined;
  /** Nothing of proc and sysfs is hidden or read-only. */
  openPaths: boolean;
  writableCgroups: boolean;
}

/**
 * Reads all of them; of one kind, the last counts.
 * @throws TinyrunError USAGE, UNSUPPORTED for SELinux labels
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const result: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: undefined,
    apparmor: undefined,
    openPaths: false,
    writableCgroups: false,
  };
  for (const option of options) {
    const [, key = '', value] = /^([^=:]*)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (key === 'no-new-privileges') result.noNewPrivileges = toBoolean(option, value);
    else if (key === 'writable-cgroups') result.writableCgroups = toBoolean(option, value);
    else if (value === undefined) throw invalid(option);
    else if (key === 'seccomp') result.seccomp = value === 'builtin' ? undefined : value;
    else if (key === 'apparmor') result.apparmor = value === 'unconfined' ? undefined : value;
    else if (key === 'systempaths' && value === 'unconfined') result.openPaths = true;
    else if (key === 'label') assertNoLabel(option, value);
    else throw invalid(option);
  }
  return result;
}

function toBoolean(option: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true') return true;
  if (value === 'false') return false;
  throw invalid(option);
}

function assertNoLabel(option: string, value: string): void {
  if (value === 'disable') return;
  throw new TinyrunError(
    'UNSUPPORTED',
    `--security-opt ${option}: tinyrun sets no SELinux label of a container`,
    {
      hint: 'leave it out, or write label=disable',
    },
  );
}

const invalid = (option: string): TinyrunError =>
  new TinyrunError('USAGE', `invalid --security-opt: ${JSON.stringify(option)}`, {
    hint: 'known are no-new-privileges, seccomp, apparmor, label=disable, systempaths=unconfined, writable-cgroups',
  });
