// Docker's commands that tinyrun has not: what does it in their place.

/** By the command's first word. */
export const elsewhere: ReadonlyMap<string, string> = new Map([
  [
    'pull',
    'images come from files: skopeo copy docker://NAME docker-archive:FILE:NAME, and tinyrun load -i FILE',
  ],
  [
    'push',
    'images go to files: tinyrun save -o FILE NAME, and skopeo copy docker-archive:FILE docker://NAME',
  ],
  ['build', 'nothing here reads a Dockerfile: tinyrun run, cp and commit make an image of a container'],
  ['login', 'no registry is asked for anything: skopeo login'],
  ['search', 'no registry is asked for anything: skopeo list-tags docker://NAME'],
  [
    'network',
    'there are no networks yet; a container has its own loopback, or shares one: run --network host|container:NAME',
  ],
  ['port', 'there are no networks yet, so no port is published'],
  ['stats', 'tinyrun events --stats CONTAINER'],
  ['version', 'tinyrun --version'],
]);
