import { useStore } from 'zustand';
import { browserCapture } from '../rtc/capture';
import { openSession } from '../rtc/open-session';
import { createCallStore, type CallState } from './call-store';

export const callStore = createCallStore({ capture: browserCapture(), openSession });

export function useCall<Selected>(select: (state: CallState) => Selected): Selected {
  return useStore(callStore, select);
}
