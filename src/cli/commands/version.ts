// tinyrun --version: three lines in runc's shape, which engines parse.
import { version } from '../../../package.json';
import { OCI_VERSION } from '../../oci/version.ts';

/** The commit that the executable was built from, a string literal; scripts/build.ts may set it. */
declare const TINYRUN_COMMIT: string | undefined;

/** What this executable was built from. */
export const build = {
  version,
  commit: typeof TINYRUN_COMMIT === 'undefined' ? 'unknown' : TINYRUN_COMMIT,
};

export function printVersion(): number {
  // Engines ask again and again: not even the C library is loaded for it. Bun's console writes at once and leaves the
  // pipe as it is, unlike process.stdout.
  console.log(`tinyrun version ${version}\ncommit: ${build.commit}\nspec: ${OCI_VERSION}`);
  return 0;
}
