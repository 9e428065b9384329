/** Lets everything happen that waits for no clock, no file and no other process: promises, and what follows them. */
export async function settleTurns(): Promise<void> {
  // Each turn of the event loop runs all that the one before has made ready.
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
