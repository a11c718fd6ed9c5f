const ADJECTIVES = [
  'amber', 'brave', 'bright', 'calm', 'clear', 'coral', 'cosy', 'crisp', 'early', 'fair', 'gentle', 'golden',
  'green', 'happy', 'hidden', 'keen', 'kind', 'lively', 'lucky', 'mellow', 'misty', 'quick', 'quiet', 'rapid',
  'silver', 'steady', 'still', 'sunny', 'swift', 'warm', 'wide', 'wild',
] as const;
const NOUNS = [
  'bay', 'beach', 'bridge', 'brook', 'canal', 'cove', 'creek', 'current', 'delta', 'ferry', 'fjord', 'ford',
  'harbor', 'inlet', 'island', 'lagoon', 'lake', 'mill', 'ocean', 'pier', 'pond', 'rapids', 'reef', 'ripple',
  'river', 'shore', 'spring', 'strait', 'stream', 'tide', 'wave', 'weir',
] as const;
/** With the words about a million names: friends find each other, strangers hardly meet. */
const NUMBERS = 1000;

/** A room name that can be said aloud, such as `calm-river-42`. */
export function readableRoomName(randomBelow: (limit: number) => number): string {
  const adjective = ADJECTIVES[randomBelow(ADJECTIVES.length)] ?? ADJECTIVES[0];
  const noun = NOUNS[randomBelow(NOUNS.length)] ?? NOUNS[0];
  return `${adjective}-${noun}-${randomBelow(NUMBERS)}`;
}
