/**
 * How a file is called while it is being written, before it is renamed to what it shall be: `.fairlead-tmp-PID-NUMBER`, in the
 * folder where it shall be. Whoever lists such a folder passes it over; one whose writer was killed is left behind.
 */
export const TEMPORARY_PREFIX = ".fairlead-tmp-";
