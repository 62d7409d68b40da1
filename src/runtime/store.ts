export function removeStale(_a: string, _b: string): void {}
