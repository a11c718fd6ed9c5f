import { useEffect } from 'react';

/** The part of a keyboard event that decides. */
export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  repeat: boolean;
  target: unknown;
}

/** The shortcut that a key press means: none while typing, and none that belongs to the browser. */
export function shortcutOf(press: KeyPress): string | undefined {
  if (press.ctrlKey || press.metaKey || press.altKey || press.repeat || isTyping(press.target)) {
    return undefined;
  }
  return press.key.toLowerCase();
}

/** Calls the action of a pressed key. */
export function useShortcuts(actions: Readonly<Record<string, () => void>>): void {
  useEffect(() => {
    const handle = (event: KeyboardEvent): void => {
      const key = shortcutOf(event);
      const action = key === undefined ? undefined : actions[key];
      if (action) {
        event.preventDefault();
        action();
      }
    };
    window.addEventListener('keydown', handle);
    return () => {
      window.removeEventListener('keydown', handle);
    };
  }, [actions]);
}

function isTyping(target: unknown): boolean {
  if (typeof target !== 'object' || target === null || !('tagName' in target)) {
    return false;
  }
  const isEditable = 'isContentEditable' in target && target.isContentEditable === true;
  return isEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(String(target.tagName));
}
