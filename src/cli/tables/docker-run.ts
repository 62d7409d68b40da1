// Docker's options of `run` and `create`, on top of those of options.ts.

import type { OptionTable } from '../options.ts';

export const dockerOptions: OptionTable = {
  'volumes-from': {
    type: 'text',
    repeat: true,
    description: 'mount what another container mounts: CONTAINER[:ro]',
  },
  'volume-driver': { type: 'text', description: 'driver of the volumes of --volume that are made' },
};
