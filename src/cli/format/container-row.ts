// A container as a line of `ps`: Docker's fields.

import type { ListedContainer } from '../../inspect/containers.ts';
import { quote } from './go-value.ts';
import { ellipsis, humanDuration, humanSize, humanTime, shortId } from './human.ts';

export interface RowFacts {
  /** Ids, commands and mounts are cut to what a table has room for. */
  truncated: boolean;
  /** Milliseconds since 1970. */
  now: number;
  /** The id of the image that has a name now. */
  imageOf(name: string): string | undefined;
  mounts(): readonly { Name?: string; Source: string; Type: string }[];
  /** Bytes of its own layer, and with its image; undefined: nobody has asked. */
  sizes(): { own: number; whole: number } | undefined;
}

const [COMMAND_WIDTH, MOUNT_WIDTH] = [20, 15];

/** The fields; those that take longer are worked out when they are read. */
export function containerRow(one: ListedContainer, facts: RowFacts): Record<string, unknown> {
  const { id, name, created, labels, network, state } = one;
  const { truncated, now } = facts;
  return {
    ID: truncated ? shortId(id) : id,
    Names: name,
    Image: imageName(one, facts),
    get Command() {
      const command = one.command().join(' ');
      return quote(truncated ? ellipsis(command, COMMAND_WIDTH) : command);
    },
    CreatedAt: humanTime(new Date(created)),
    RunningFor: `${humanDuration(now - created)} ago`,
    Ports: '',
    State: state,
    Status: statusWords(one, now),
    get Size() {
      const sizes = facts.sizes();
      return sizes === undefined ? '' : `${humanSize(sizes.own)} (virtual ${humanSize(sizes.whole)})`;
    },
    Labels: Object.entries(labels)
      .map(([label, value]) => `${label}=${value}`)
      .join(','),
    Label: (label: unknown) => labels[String(label)] ?? '',
    get Mounts() {
      const names = facts.mounts().map(({ Name, Source, Type }) => Name ?? (Source || Type));
      return names.map((mount) => (truncated ? ellipsis(mount, MOUNT_WIDTH) : mount)).join(',');
    },
    get LocalVolumes() {
      return String(facts.mounts().filter(({ Type }) => Type === 'volume').length);
    },
    Networks: network,
  };
}

/** The name it was made of; but the id where that name means another image now, or none. */
function imageName({ image, imageId }: ListedContainer, { imageOf, truncated }: RowFacts): string {
  if (imageId === '') return image;
  const now = imageOf(image.includes(':') ? image : `${image}:latest`) ?? imageOf(image);
  const isId = /^(sha256:)?[0-9a-f]{12,64}$/.test(image);
  if (!isId && now === imageId) return image;
  return truncated ? shortId(imageId) : imageId;
}

/** `Up 5 minutes`, `Exited (0) 2 hours ago`, `Created` */
export function statusWords(one: ListedContainer, now: number): string {
  const { state, exitCode, startedAt, finishedAt } = one;
  const up = startedAt === undefined ? 'Up' : `Up ${humanDuration(now - startedAt)}`;
  if (state === 'running') return up;
  if (state === 'paused') return `${up} (Paused)`;
  if (state === 'created') return 'Created';
  // Of a container that runs alone nobody is told how it ended: Docker has no word for that.
  return `Exited (${exitCode ?? 'unknown'})${finishedAt === undefined ? '' : ` ${humanDuration(now - finishedAt)} ago`}`;
}
