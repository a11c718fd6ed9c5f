import { hueOf, initialsOf } from './initials';

/** Initials on a colour of one's own, where there is no picture. */
export function Avatar({ name }: { name: string }) {
  const hue = hueOf(name);
  return (
    <div
      aria-hidden
      className="flex aspect-square h-[38%] max-h-28 min-h-10 items-center justify-center rounded-full text-[clamp(0.9rem,2.4vmin,1.9rem)] font-semibold text-white/95"
      style={{ background: `linear-gradient(140deg, hsl(${hue} 42% 42%), hsl(${(hue + 40) % 360} 46% 28%))` }}
    >
      {initialsOf(name)}
    </div>
  );
}
