/** One or two letters for a name; a question mark for none. */
export function initialsOf(name: string): string {
  const words = name.trim().split(/[\s._-]+/).filter((word) => word !== '');
  const first = words[0];
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  // By code point, so that no emoji is cut in half.
  const letters = [first, last].map((word) => (word === undefined ? '' : (Array.from(word)[0] ?? ''))).join('');
  return letters === '' ? '?' : letters.toLocaleUpperCase();
}

/** A colour angle that stays the same for a name. */
export function hueOf(name: string): number {
  let hash = 0;
  for (const character of name) {
    hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  }
  return hash;
}
