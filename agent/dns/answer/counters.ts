/** What the DNS server has done since it started. */
export interface DnsCounters {
  /** Messages that arrived, of every kind. */
  received: number;
  /** Answers with addresses or names of ours. */
  answered: number;
  /** The name is ours, nothing of the type asked for is. */
  noData: number;
  /** No such name, said by us. */
  noName: number;
  /** Questions that went upstream. */
  forwarded: number;
  /** Of those: no upstream answered. */
  upstreamFailures: number;
  /** Refused: zone transfers, other classes, outside names asked from internal networks, limits. */
  refused: number;
  /** Answered with a format error, or as not implemented. */
  malformed: number;
  /** Not answered at all: no query, or an address that is not on the network. */
  dropped: number;
  /** TCP connections that were closed to make room, or because nothing came. */
  connectionsClosed: number;
}

export function newCounters(): DnsCounters {
  return {
    received: 0,
    answered: 0,
    noData: 0,
    noName: 0,
    forwarded: 0,
    upstreamFailures: 0,
    refused: 0,
    malformed: 0,
    dropped: 0,
    connectionsClosed: 0,
  };
}
