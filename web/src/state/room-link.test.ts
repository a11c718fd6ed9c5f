import { describe, expect, it, vi } from 'vitest';

vi.stubGlobal('window', { addEventListener: () => undefined, location: { pathname: '/', search: '' } });
const { cleanRoomName, roomLink, roomOfAddress, tokenOfAddress, ROOM_NAME_LENGTH_MAX } = await import('./room-link');

describe('roomOfAddress', () => {
  it.each([
    ['/', '?room=calm-river', 'calm-river'],
    ['/r/calm-river', '', 'calm-river'],
    ['/r/calm-river/', '', 'calm-river'],
    ['/r/caf%C3%A9', '', 'café'],
    ['/r/100%', '', '100%'],
    ['/', '?room=', ''],
    ['/', '', ''],
    ['/other', '', ''],
  ])('%s%s is room "%s"', (pathname, search, room) => {
    expect(roomOfAddress({ pathname, search })).toBe(room);
  });

  it.each(['calm-river', 'a&b=c', 'ünï ✓', '100%', '#1'])('reads back the link to %s', (name) => {
    const room = cleanRoomName(name);
    const { pathname, search } = new URL(roomLink('http://localhost:4000', room));
    expect(roomOfAddress({ pathname, search })).toBe(room);
  });
});

describe('tokenOfAddress', () => {
  it.each([
    ['#token=a.b-c_d', 'a.b-c_d'],
    ['#x=1&token=a', 'a'],
    ['#token=', ''],
    ['#a', ''],
    ['', ''],
  ])('%s has the token "%s"', (hash, token) => {
    expect(tokenOfAddress({ hash })).toBe(token);
  });
});

describe('cleanRoomName', () => {
  it('makes one room of what is spoken alike', () => {
    expect(cleanRoomName('  Calm   River ')).toBe('calm-river');
  });

  it('limits the length', () => {
    expect(cleanRoomName('x'.repeat(500))).toHaveLength(ROOM_NAME_LENGTH_MAX);
  });
});
