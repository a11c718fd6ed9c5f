import { Mic, MicOff, MonitorUp, MonitorX, PhoneOff, Video, VideoOff } from 'lucide-react';
import { ControlButton } from '../../components/ControlButton';
import { callStore, useCall } from '../../state/call';
import { useShortcuts } from './shortcuts';

const { toggleMicrophone, toggleCamera, toggleScreen, leave } = callStore.getState();

const SHORTCUTS = {
  m: () => void toggleMicrophone(),
  v: () => void toggleCamera(),
  s: () => void toggleScreen(),
} as const;

/** Phones cannot share their screens. */
const CAN_SHARE = typeof (navigator.mediaDevices as MediaDevices | undefined)?.getDisplayMedia === 'function';

export function Controls() {
  const { microphoneOn, camera, screen, opening } = useCall((state) => state.local);
  useShortcuts(SHORTCUTS);
  return (
    <div role="toolbar" aria-label="Call controls" className="flex items-center justify-center gap-2.5">
      <ControlButton
        icon={microphoneOn ? Mic : MicOff}
        label={microphoneOn ? 'Mute microphone' : 'Unmute microphone'}
        shortcut="m"
        look={microphoneOn ? 'plain' : 'off'}
        busy={opening.microphone}
        onClick={SHORTCUTS.m}
      />
      <ControlButton
        icon={camera ? Video : VideoOff}
        label={camera ? 'Turn camera off' : 'Turn camera on'}
        shortcut="v"
        look={camera ? 'plain' : 'off'}
        busy={opening.camera}
        onClick={SHORTCUTS.v}
      />
      {CAN_SHARE && (
        <ControlButton
          icon={screen ? MonitorX : MonitorUp}
          label={screen ? 'Stop sharing' : 'Share your screen'}
          shortcut="s"
          look={screen ? 'active' : 'plain'}
          busy={opening.screen}
          onClick={SHORTCUTS.s}
        />
      )}
      <ControlButton icon={PhoneOff} label="Leave call" look="danger" onClick={leave} />
    </div>
  );
}
