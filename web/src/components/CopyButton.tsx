import { Check, Link2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Button } from './Button';

const CONFIRMATION_MS = 2000;

interface CopyButtonProps {
  text: string;
  label: string;
  look?: 'primary' | 'secondary' | 'quiet';
  /** On narrow screens only the icon is shown. */
  compact?: boolean;
}

export function CopyButton({ text, label, look = 'secondary', compact = false }: CopyButtonProps) {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) {
      return undefined;
    }
    const timer = setTimeout(() => {
      setIsCopied(false);
    }, CONFIRMATION_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setIsCopied(true);
    } catch {
      // No clipboard on insecure origins, or not allowed: let the user do it.
      window.prompt('Copy this link:', text);
    }
  };
  const Icon = isCopied ? Check : Link2;
  return (
    <Button look={look} onClick={() => void copy()} aria-label={label}>
      <Icon size={16} aria-hidden />
      <span className={compact ? 'max-sm:sr-only' : ''} aria-live="polite">
        {isCopied ? 'Copied' : label}
      </span>
    </Button>
  );
}
