// What scripts/native.ts generates, so that types can be checked before the first build.

declare module '*/dist/interpreter.ts' {
  /** Base64; '' where no compiler was there. */
  export const interpreter: { x64: string; arm64: string };
}
