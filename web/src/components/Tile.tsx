import { MicOff, MonitorUp } from 'lucide-react';
import { Avatar } from './Avatar';
import { TrackVideo } from './TrackVideo';

interface TileProps {
  name: string;
  /** Shown as a suffix of the name. */
  isSelf?: boolean;
  /** Null: initials are shown instead. */
  video: MediaStreamTrack | null;
  muted?: boolean;
  isScreen?: boolean;
  width?: number;
  height?: number;
}

/** One picture of the stage: a person, or what a person shows. */
export function Tile({ name, isSelf = false, video, muted = false, isScreen = false, width, height }: TileProps) {
  const title = isScreen ? `${name}'s screen` : isSelf ? `${name} (you)` : name;
  return (
    <figure
      aria-label={title}
      data-testid={isScreen ? 'screen-tile' : isSelf ? 'self-tile' : 'tile'}
      data-name={name}
      style={{ width, height }}
      className="relative flex shrink-0 animate-appear items-center justify-center overflow-hidden rounded-2xl bg-surface ring-1 ring-white/5 ring-inset"
    >
      {/* Below the video too: seen until the first frame has arrived. */}
      {!isScreen && <Avatar name={name} />}
      {video && (
        <TrackVideo track={video} label={title} fit={isScreen ? 'contain' : 'cover'} mirrored={isSelf && !isScreen} />
      )}
      {isScreen && (
        <span className="absolute top-2.5 left-2.5 inline-flex items-center gap-1.5 rounded-lg bg-accent-deep px-2 py-1 text-xs font-semibold text-white">
          <MonitorUp size={13} aria-hidden /> Screen
        </span>
      )}
      <figcaption className="absolute bottom-2 left-2 flex max-w-[calc(100%-1rem)] items-center gap-1.5 rounded-lg bg-black/60 px-2 py-1 text-xs font-medium text-white backdrop-blur-sm">
        {muted && (
          <>
            <MicOff size={13} className="shrink-0 text-[#ff8a8d]" aria-hidden />
            <span className="sr-only">muted: </span>
          </>
        )}
        <span className="truncate">{isSelf ? `${name} (you)` : name}</span>
      </figcaption>
    </figure>
  );
}
