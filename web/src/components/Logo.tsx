export function Logo({ size = 32 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="9" fill="#0f766e" />
      <path
        d="M7 11.5c3 0 3 3 6 3s3-3 6-3 3 3 6 3M7 18.5c3 0 3 3 6 3s3-3 6-3 3 3 6 3"
        fill="none"
        stroke="#ecfeff"
        strokeWidth="2.5"
        strokeLinecap="round"
      />
    </svg>
  );
}
