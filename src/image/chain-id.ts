// The id of a layer with all that is below it: OCI image-spec config.md, "Layer ChainID". Two images share a layer where
// their chain ids are equal.

/**
 * The chain id of a layer.
 * @param parent chain id of the layer below; undefined: it is the base, whose chain id is its diff id
 * @param diffId digest of its uncompressed tar, `sha256:HEX`
 */
export const chainIdOf = (parent: string | undefined, diffId: string): string =>
  parent === undefined
    ? diffId
    : `sha256:${new Bun.CryptoHasher('sha256').update(`${parent} ${diffId}`).digest('hex')}`;

/** Chain ids of layers with these diff ids, the base first. */
export function chainIdsOf(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1), diffId));
  return chain;
}
