import { describe, expect, it } from 'vitest';
import { hueOf, initialsOf } from './initials';

describe('initialsOf', () => {
  it.each([
    ['Ann Fields', 'AF'],
    ['ann', 'A'],
    ['  Jean  Luc   Picard ', 'JP'],
    ['🦊 fox', '🦊F'],
    ['', '?'],
    ['   ', '?'],
  ])('of "%s" are "%s"', (name, initials) => {
    expect(initialsOf(name)).toBe(initials);
  });
});

it('gives a name the same colour every time', () => {
  expect(hueOf('Ann')).toBe(hueOf('Ann'));
  expect(hueOf('Ann')).toBeLessThan(360);
});
