// tinyrun --version: three lines in runc's shape, which engines parse.
import { version } from '../../../package.json';
import { OCI_VERSION } from '../../oci/defaults.ts';
import { print } from '../../runtime/log.ts';

/** The commit that the executable was built from, a string literal; scripts/build.ts may set it. */
declare const TINYRUN_COMMIT: string | undefined;

export function printVersion(): number {
  const commit = typeof TINYRUN_COMMIT === 'undefined' ? 'unknown' : TINYRUN_COMMIT;
  print(1, `tinyrun version ${version}\ncommit: ${commit}\nspec: ${OCI_VERSION}\n`);
  return 0;
}
