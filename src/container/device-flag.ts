// --device HOST[:CONTAINER][:rwm], with Docker's grammar and words.

import { TinyrunError } from '../errors.ts';
import type { DeviceMapping } from './config.ts';

const isMode = (text: string): boolean => /^[rwm]+$/.test(text) && new Set(text).size === text.length;

/**
 * @throws TinyrunError USAGE
 * @example parseDevice('/dev/sda:/dev/xvda:r')
 */
export function parseDevice(text: string): DeviceMapping {
  const [path = '', second, third, ...more] = text.split(':');
  const refuse = (why: string): TinyrunError =>
    new TinyrunError('USAGE', `invalid argument ${JSON.stringify(text)} for --device: ${why}`);
  if (more.length > 0) throw refuse(`invalid device specification: ${text}`);
  if (path.includes('=') && !path.startsWith('/'))
    throw new TinyrunError(
      'UNSUPPORTED',
      `--device ${text}: devices of the Container Device Interface are not known`,
      {
        hint: 'name the device file itself: /dev/...',
      },
    );
  if (!path.startsWith('/')) throw refuse(`${path} is not an absolute path`);
  const inContainer = second === undefined || (third === undefined && isMode(second)) ? path : second;
  const permissions =
    third ?? (second !== undefined && inContainer === path && isMode(second) ? second : 'rwm');
  if (!isMode(permissions)) throw refuse(`bad mode specified: ${permissions}`);
  if (!inContainer.startsWith('/')) throw refuse(`${inContainer} is not an absolute path`);
  return { PathOnHost: path, PathInContainer: inContainer, CgroupPermissions: permissions };
}
