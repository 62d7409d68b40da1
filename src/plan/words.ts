// Words that several planners have: of ops that no field of config.json asks for; and why a program was not executed.

import type { Words } from '../program/op.ts';

/** The words of an op that every container takes, whatever its config says. */
export const runtime = (what: string, why: string): Words => ({ what, why, from: 'runtime' });

/** Why a process could not become its program, in Docker's words. */
export const notExecuted = (program: string, why: string): string =>
  `exec: ${JSON.stringify(program)}: ${why}`;

/** The same where there is none of that name. */
export const noProgram = (program: string): string =>
  notExecuted(
    program,
    program.includes('/')
      ? `stat ${program}: no such file or directory`
      : 'executable file not found in $PATH',
  );
