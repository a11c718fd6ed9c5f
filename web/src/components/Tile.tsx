import { MicOff, MonitorUp, TriangleAlert } from 'lucide-react';
import { Avatar } from './Avatar';
import { TrackVideo } from './TrackVideo';

/** Why a picture does not come: our connection does not carry it, or the server has too much to do. */
export type HeldBack = 'bandwidth' | 'overload';

const HELD_BACK: Record<HeldBack, string> = {
  bandwidth: 'Paused: poor connection',
  overload: 'Paused: the server is busy',
};

interface TileProps {
  name: string;
  /** Shown as a suffix of the name. */
  isSelf?: boolean;
  /** Null: initials are shown instead. */
  video: MediaStreamTrack | null;
  /** Why a picture that there is does not come. */
  heldBack?: HeldBack | null;
  muted?: boolean;
  speaking?: boolean;
  isScreen?: boolean;
  width?: number;
  height?: number;
}

/** One picture of the stage: a person, or what a person shows. */
export function Tile({
  name,
  isSelf = false,
  video,
  heldBack = null,
  muted = false,
  speaking = false,
  isScreen = false,
  width,
  height,
}: TileProps) {
  const title = isScreen ? `${name}'s screen` : isSelf ? `${name} (you)` : name;
  return (
    <figure
      aria-label={title}
      data-testid={isScreen ? 'screen-tile' : isSelf ? 'self-tile' : 'tile'}
      data-name={name}
      data-speaking={speaking}
      style={{ width, height }}
      className="relative flex shrink-0 animate-appear items-center justify-center overflow-hidden rounded-2xl bg-surface ring-1 ring-white/5 ring-inset"
    >
      {/* Below the video too: seen until the first frame has arrived. */}
      {!isScreen && <Avatar name={name} />}
      {video && (
        <TrackVideo track={video} label={title} fit={isScreen ? 'contain' : 'cover'} mirrored={isSelf && !isScreen} />
      )}
      {/* Above the video, which would hide a ring of the tile itself. */}
      {speaking && (
        <span aria-hidden className="pointer-events-none absolute inset-0 rounded-2xl ring-3 ring-accent ring-inset" />
      )}
      <div className="absolute top-2.5 left-2.5 flex max-w-[calc(100%-1.25rem)] flex-wrap gap-1.5 text-xs font-semibold">
        {isScreen && (
          <span className="inline-flex items-center gap-1.5 rounded-lg bg-accent-deep px-2 py-1 text-white">
            <MonitorUp size={13} aria-hidden /> Screen
          </span>
        )}
        {heldBack && (
          <span className="inline-flex items-center gap-1.5 rounded-lg bg-black/60 px-2 py-1 text-warn">
            <TriangleAlert size={13} aria-hidden /> {HELD_BACK[heldBack]}
          </span>
        )}
      </div>
      <figcaption className="absolute bottom-2 left-2 flex max-w-[calc(100%-1rem)] items-center gap-1.5 rounded-lg bg-black/60 px-2 py-1 text-xs font-medium text-white backdrop-blur-sm">
        {muted && (
          <>
            <MicOff size={13} className="shrink-0 text-[#ff8a8d]" aria-hidden />
            <span className="sr-only">muted: </span>
          </>
        )}
        {speaking && <span className="sr-only">speaking: </span>}
        <span className="truncate">{isSelf ? `${name} (you)` : name}</span>
      </figcaption>
    </figure>
  );
}
