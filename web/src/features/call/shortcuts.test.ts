import { describe, expect, it } from 'vitest';
import { shortcutOf, type KeyPress } from './shortcuts';

const PRESS: KeyPress = { key: 'm', ctrlKey: false, metaKey: false, altKey: false, repeat: false, target: { tagName: 'BODY' } };

describe('shortcutOf', () => {
  it('takes letters in either case', () => {
    expect(shortcutOf(PRESS)).toBe('m');
    expect(shortcutOf({ ...PRESS, key: 'M' })).toBe('m');
  });

  it.each([
    ['while typing', { target: { tagName: 'INPUT' } }],
    ['in editable text', { target: { tagName: 'DIV', isContentEditable: true } }],
    ['with Ctrl', { ctrlKey: true }],
    ['with Cmd', { metaKey: true }],
    ['with Alt', { altKey: true }],
    ['when held down', { repeat: true }],
  ])('does nothing %s', (_when, change) => {
    expect(shortcutOf({ ...PRESS, ...change })).toBeUndefined();
  });
});
