// How long tests wait before they give something up. In a virtual machine without hardware's help all takes longer.

const factor = Number(process.env['TINYRUN_TIME_FACTOR'] ?? 1);

/** A limit of time, in whatever unit, for this machine. */
export const scaled = (limit: number): number => limit * factor;
