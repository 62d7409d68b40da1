// The version of the OCI runtime specification that tinyrun follows.

/** The version of the spec that this project implements; any 1.x config is accepted. */
export const OCI_VERSION = '1.3.0';
