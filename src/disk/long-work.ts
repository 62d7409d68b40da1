// The executable is built to compile nothing at first, as a container is made in less time than that takes (scripts/build.ts).
// A tree of thousands of files is another matter.

/** From here on, what runs often is compiled: it halves the time of our own code, and makes the first files a bit slower. */
export const expectLongWork = (): void => Bun.unsafe.setJITPolicy(1);
