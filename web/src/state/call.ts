import { useStore } from 'zustand';
import { browserCapture } from '../rtc/capture';
import { openSession } from '../rtc/open-session';
import { tokenOfAddress } from './room-link';
import { createCallStore, type CallState } from './call-store';

/** Read once: the address changes when another room is opened, and the token may be good for that one too. */
const token = tokenOfAddress(window.location);

export const callStore = createCallStore({
  capture: browserCapture(),
  openSession: (identity) => openSession(identity, token),
});

export function useCall<Selected>(select: (state: CallState) => Selected): Selected {
  return useStore(callStore, select);
}
