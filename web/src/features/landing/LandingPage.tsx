import { useEffect } from 'react';
import { Logo } from '../../components/Logo';
import { useCall } from '../../state/call';
import { useRoomAddress } from '../../state/room-link';
import { DeviceProblems } from './DeviceProblems';
import { JoinForm } from './JoinForm';

export function LandingPage() {
  const isBlocked = useCall((state) => state.stage === 'blocked');
  const room = useRoomAddress((state) => state.room);
  useEffect(() => {
    document.title = room === '' ? 'Sluice' : `${room} · Sluice`;
  }, [room]);
  return (
    <main className="relative isolate grid min-h-full place-items-center overflow-hidden px-4 py-10">
      <div
        aria-hidden
        className="absolute inset-0 -z-10 bg-[radial-gradient(60rem_36rem_at_75%_-10%,rgb(45_212_191/0.13),transparent_65%),radial-gradient(50rem_32rem_at_10%_110%,rgb(59_130_246/0.10),transparent_65%)]"
      />
      <div className="grid w-full max-w-4xl items-center gap-10 md:grid-cols-[1fr_24rem] md:gap-14">
        <header>
          <div className="flex items-center gap-3">
            <Logo size={40} />
            <span className="text-xl font-semibold tracking-tight">Sluice</span>
          </div>
          <h1 className="mt-6 text-3xl leading-tight font-semibold tracking-tight text-balance sm:text-[2.6rem]">
            {room === '' ? (
              <>
                <span className="block">Talk face to face.</span>{' '}
                <span className="block">Share a link, that’s all.</span>
              </>
            ) : (
              'You’re invited to a call.'
            )}
          </h1>
          <p className="mt-4 max-w-md leading-relaxed text-pretty text-soft">
            {room === ''
              ? 'Pick a room, send its link, and see each other. No account, nothing to install.'
              : 'Check your name, choose what to join with, and step in.'}
          </p>
        </header>
        <div className="rounded-3xl border border-line bg-surface/80 p-6 shadow-2xl shadow-black/40 backdrop-blur sm:p-7">
          {isBlocked ? <DeviceProblems /> : <JoinForm key={room} />}
        </div>
      </div>
    </main>
  );
}
