import { create } from 'zustand';
import { persist } from 'zustand/middleware';

interface Preferences {
  /** The name others see; kept for the next call. */
  userName: string;
  /** Whether to join with the microphone open and the camera on. */
  microphone: boolean;
  camera: boolean;
  set: (change: Partial<Pick<Preferences, 'userName' | 'microphone' | 'camera'>>) => void;
}

export const usePreferences = create<Preferences>()(
  persist(
    (set) => ({
      userName: '',
      microphone: true,
      camera: true,
      set: (change) => {
        set(change);
      },
    }),
    { name: 'sluice.preferences', version: 1 },
  ),
);
