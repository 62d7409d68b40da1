// The words of ops that no field of config.json asks for.

import type { Words } from '../program/op.ts';

/** The words of an op that every container takes, whatever its config says. */
export const runtime = (what: string, why: string): Words => ({ what, why, from: 'runtime' });
