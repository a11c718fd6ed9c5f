import { expect, it } from 'vitest';
import { readableRoomName } from './room-names';

it('makes names that need no escaping in a link', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const name = readableRoomName((limit) => (seed * 7919) % limit);
    expect(name).toMatch(/^[a-z]+-[a-z]+-\d{1,3}$/);
    expect(encodeURIComponent(name)).toBe(name);
  }
});
