/** `notrack`: connection tracking shall not look at the packet. It has no attributes. Raw priority chains only. */
export function notrack() {
  return { name: "notrack" } as const;
}
