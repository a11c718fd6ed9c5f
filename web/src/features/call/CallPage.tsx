import { Users, Volume2 } from 'lucide-react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { Button } from '../../components/Button';
import { CopyButton } from '../../components/CopyButton';
import { Logo } from '../../components/Logo';
import { TrackAudio } from '../../components/TrackAudio';
import { callStore, useCall } from '../../state/call';
import { roomLink, useRoomAddress } from '../../state/room-link';
import { ConnectionBanner } from './ConnectionBanner';
import { Controls } from './Controls';
import { NoticeBanner } from './NoticeBanner';
import { Stage } from './Stage';
import { stageModel, type StageModel } from './tiles';

export function CallPage() {
  const request = useCall((state) => state.request);
  const local = useCall((state) => state.local);
  const participants = useCall((state) => state.call.participants);
  const activeSpeaker = useCall((state) => state.call.activeSpeaker);
  const phase = useCall((state) => state.call.phase);
  const userName = request?.userName ?? '';
  const room = request?.room ?? '';
  const model = useMemo(
    () => stageModel(userName, local, { participants, activeSpeaker }),
    [userName, local, participants, activeSpeaker],
  );
  useLeaveOnNavigation(room);
  useEffect(() => {
    document.title = `${room} · Sluice`;
  }, [room]);
  const link = roomLink(window.location.origin, room);
  const isAlone = phase === 'joined' && participants.length === 0;
  return (
    <main className="relative flex h-dvh flex-col gap-2.5 p-2.5 sm:p-3" data-phase={phase}>
      <header className="flex items-center gap-3 px-1">
        <Logo size={26} />
        <h1 className="min-w-0 truncate text-sm font-semibold" title={room}>
          {room}
        </h1>
        <span className="flex items-center gap-1.5 text-sm text-soft">
          <Users size={15} aria-hidden />
          <span data-testid="people-count">{participants.length + 1}</span>
          <span className="sr-only">in the call</span>
        </span>
        <div className="ml-auto">
          <CopyButton look="quiet" compact label="Copy link" text={link} />
        </div>
      </header>
      <Stage model={model} />
      {isAlone && <Alone link={link} />}
      <div className="pointer-events-none absolute inset-x-3 top-14 z-20 mx-auto flex max-w-md flex-col gap-2 *:pointer-events-auto">
        <ConnectionBanner />
        <NoticeBanner />
        <Sound audio={model.audio} />
      </div>
      <footer className="pb-[env(safe-area-inset-bottom)]">
        <Controls />
      </footer>
    </main>
  );
}

function Alone({ link }: { link: string }) {
  return (
    <section
      role="status"
      className="absolute inset-x-4 bottom-24 z-10 mx-auto flex max-w-sm animate-appear flex-col items-center gap-3 rounded-2xl border border-line bg-surface/90 p-5 text-center shadow-2xl backdrop-blur"
    >
      <p className="font-medium">You’re the only one here</p>
      <p className="text-sm text-soft">Send the link to whoever should join.</p>
      <CopyButton look="primary" label="Copy room link" text={link} />
    </section>
  );
}

/** Plays what others say; asks for a click where the browser wants one first. */
function Sound({ audio }: { audio: StageModel['audio'] }) {
  const isBlocked = useCall((state) => state.audioBlocked);
  const [attempt, setAttempt] = useState(0);
  const { setAudioBlocked } = callStore.getState();
  const onBlocked = useCallback(() => {
    setAudioBlocked(true);
  }, [setAudioBlocked]);
  return (
    <>
      {audio.map(({ key, track }) => (
        <TrackAudio key={`${key}/${attempt}`} track={track} onBlocked={onBlocked} />
      ))}
      {isBlocked && audio.length > 0 && (
        <Button
          look="primary"
          className="self-center shadow-xl"
          onClick={() => {
            setAudioBlocked(false);
            setAttempt(attempt + 1);
          }}
        >
          <Volume2 size={16} aria-hidden /> Click to hear the others
        </Button>
      )}
    </>
  );
}

/** The browser's back button hangs up. */
function useLeaveOnNavigation(room: string): void {
  const addressRoom = useRoomAddress((state) => state.room);
  useEffect(() => {
    if (addressRoom !== room) {
      callStore.getState().leave();
    }
  }, [addressRoom, room]);
}
