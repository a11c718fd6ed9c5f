import { LoaderCircle, Mic, MicOff, Shuffle, Video, VideoOff, type LucideIcon } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../../components/Button';
import { CopyButton } from '../../components/CopyButton';
import { TextField } from '../../components/TextField';
import { callStore, useCall } from '../../state/call';
import { usePreferences } from '../../state/preferences';
import { randomBelow } from '../../state/random';
import { cleanRoomName, roomLink, ROOM_NAME_LENGTH_MAX, useRoomAddress } from '../../state/room-link';
import { readableRoomName } from './room-names';

const USER_NAME_LENGTH_MAX = 40;

export function JoinForm() {
  const { userName, microphone, camera, set } = usePreferences();
  const addressRoom = useRoomAddress((state) => state.room);
  const [room, setRoom] = useState(() => addressRoom || readableRoomName(randomBelow));
  const isPreparing = useCall((state) => state.stage === 'preparing');
  const cleanName = userName.trim();
  const cleanRoom = cleanRoomName(room);
  const canJoin = cleanName !== '' && cleanRoom !== '' && !isPreparing;

  const join = (): void => {
    useRoomAddress.getState().open(cleanRoom);
    void callStore.getState().join({ room: cleanRoom, userName: cleanName, microphone, camera });
  };
  return (
    <form
      className="flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (canJoin) {
          join();
        }
      }}
    >
      <TextField
        label="Your name"
        value={userName}
        maxLength={USER_NAME_LENGTH_MAX}
        placeholder="How others see you"
        autoComplete="name"
        required
        onChange={({ target }) => {
          set({ userName: target.value });
        }}
      />
      <TextField
        label="Room"
        value={room}
        maxLength={ROOM_NAME_LENGTH_MAX}
        placeholder="Any words"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        required
        onChange={({ target }) => {
          setRoom(target.value);
        }}
        action={
          <button
            type="button"
            title="New room"
            aria-label="New room"
            className="mr-1.5 rounded-lg p-2 text-soft transition-colors hover:bg-raised hover:text-ink"
            onClick={() => {
              setRoom(readableRoomName(randomBelow));
            }}
          >
            <Shuffle size={16} aria-hidden />
          </button>
        }
      />
      <fieldset className="grid grid-cols-2 gap-2.5">
        <legend className="mb-1.5 text-sm font-medium text-soft">Join with</legend>
        <DeviceToggle
          name="Microphone"
          on={microphone}
          icon={microphone ? Mic : MicOff}
          onChange={() => {
            set({ microphone: !microphone });
          }}
        />
        <DeviceToggle
          name="Camera"
          on={camera}
          icon={camera ? Video : VideoOff}
          onChange={() => {
            set({ camera: !camera });
          }}
        />
      </fieldset>
      <div className="mt-1 flex flex-col gap-2.5">
        <Button type="submit" look="primary" disabled={!canJoin} className="py-3.5 text-[15px]">
          {isPreparing ? (
            <>
              <LoaderCircle size={18} className="animate-spin" aria-hidden /> Waiting for your devices…
            </>
          ) : (
            'Join call'
          )}
        </Button>
        <CopyButton look="quiet" label="Copy room link" text={roomLink(window.location.origin, cleanRoom)} />
      </div>
    </form>
  );
}

interface DeviceToggleProps {
  name: string;
  on: boolean;
  icon: LucideIcon;
  onChange: () => void;
}

function DeviceToggle({ name, on, icon: Icon, onChange }: DeviceToggleProps) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={onChange}
      className={`flex items-center justify-center gap-2 rounded-xl border px-3 py-2.5 text-sm font-medium transition-colors ${
        on ? 'border-accent/50 bg-accent/10 text-ink' : 'border-line text-soft hover:text-ink'
      }`}
    >
      <Icon size={16} aria-hidden className={on ? 'text-accent' : ''} />
      {name}
    </button>
  );
}
