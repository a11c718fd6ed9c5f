import { create } from 'zustand';

/** Longer names do not fit a title bar, and the server need not store novels. */
export const ROOM_NAME_LENGTH_MAX = 64;

/** The room that an address names: `/?room=x` or `/r/x`; empty if none. */
export function roomOfAddress(address: { pathname: string; search: string }): string {
  const asked = new URLSearchParams(address.search).get('room');
  if (asked !== null) {
    return cleanRoomName(asked);
  }
  const path = /^\/r\/([^/]+)\/?$/.exec(address.pathname)?.[1];
  if (path === undefined) {
    return '';
  }
  try {
    return cleanRoomName(decodeURIComponent(path));
  } catch {
    // A stray percent sign.
    return cleanRoomName(path);
  }
}

/** The access token of an address, `#token=x`: the fragment is sent to no server, and stands in none's log. Empty if none. */
export function tokenOfAddress(address: { hash: string }): string {
  return new URLSearchParams(address.hash.replace(/^#/, '')).get('token') ?? '';
}

/** The link to share. */
export function roomLink(origin: string, room: string): string {
  return `${origin}/?room=${encodeURIComponent(room)}`;
}

/** Any words make a room name; what differs only in spaces or case is one room, since links are also spoken. */
export function cleanRoomName(text: string): string {
  return text.trim().replaceAll(/\s+/g, '-').toLowerCase().slice(0, ROOM_NAME_LENGTH_MAX);
}

interface RoomAddress {
  room: string;
  /** Goes to a room (or to none), with an entry in the browser's history. */
  open: (room: string) => void;
}

/** The room in the address bar. */
export const useRoomAddress = create<RoomAddress>()((set) => {
  window.addEventListener('popstate', () => {
    set({ room: roomOfAddress(window.location) });
  });
  return {
    room: roomOfAddress(window.location),
    open: (room) => {
      if (room !== roomOfAddress(window.location)) {
        window.history.pushState(null, '', room === '' ? '/' : roomLink('', room));
      }
      set({ room });
    },
  };
});
