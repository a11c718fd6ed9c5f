//! Reading callgrind's output: what each function executed by itself.

/// What was executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Instructions of our own code, of Rust's library and of the other crates.
    pub(super) own: u64,
    /// Instructions of `ring`, SHA-1 and AES, which choose their code by the processor.
    pub(super) ciphers: u64,
    /// Instructions of the C library: copies, which are made as the processor likes it best, and the allocator.
    pub(super) library: u64,
}

/// A file that is not what callgrind writes.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of callgrind's output is not understood: {text}")]
pub(super) struct ReadError {
    line: usize,
    text: String,
}

/// Sums up a file written with `--compress-strings=no --compress-pos=no`.
///
/// What a function executed by itself is in lines of a position and a number; after a line `calls=` the next such line is what
/// the called function executed, which is in that one's own lines as well.
pub(super) fn read(text: &str) -> Result<Counts, ReadError> {
    let mut counts = Counts::default();
    let (mut object, mut function) = ("", "");
    let mut is_of_call = false;
    for (line, text) in text.lines().enumerate() {
        let error = || ReadError { line: line + 1, text: text.to_owned() };
        if let Some((key, value)) = text.split_once('=') {
            match key {
                "ob" => object = value,
                "fn" => function = value,
                "calls" => is_of_call = true,
                _ => {}
            }
        } else if text.starts_with(|first: char| first.is_ascii_digit()) {
            let number = text.split(' ').nth(1).and_then(|number| number.parse::<u64>().ok()).ok_or_else(error)?;
            if std::mem::take(&mut is_of_call) {
                continue;
            }
            *counts.of(object, function) += number;
        }
    }
    Ok(counts)
}

impl Counts {
    fn of(&mut self, object: &str, function: &str) -> &mut u64 {
        // What is not Rust's in the binary is ring's assembly, but for arithmetic of the compiler's, which begins with `__`.
        let is_cipher = if function.contains("::") {
            ["ring::", "sha1::", "aes::"].iter().any(|known| function.contains(known))
        } else {
            !function.starts_with("__")
        };
        if object.contains(".so") {
            &mut self.library
        } else if is_cipher {
            &mut self.ciphers
        } else {
            &mut self.own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "\
version: 1
events: Ir

ob=instructions
fl=???
fn=sfu_core::forward
0 100
cob=/usr/lib/libc.so.6
cfn=__memcpy_avx_unaligned_erms
calls=7 0
0 700
0 11
cfn=ring_core_0_17_14__aes_gcm_enc_update_vaes_avx2
calls=2 0
0 5000
fn=__udivti3
0 9

fn=ring_core_0_17_14__aes_gcm_enc_update_vaes_avx2
0 5000
fn=<ring::aead::LessSafeKey>::seal
0 40

ob=/usr/lib/libc.so.6
fn=__memcpy_avx_unaligned_erms
0 700
fn=malloc
0 60
cfn=malloc_consolidate
calls=1 0
0 10

totals: 5920
";

    /// Harm prevented: what is called is counted twice, or a faster cipher hides that our own code has become slower.
    #[test]
    fn each_instruction_counts_once_and_with_its_own_kind() {
        let counts = read(WRITTEN).unwrap();
        assert_eq!(counts, Counts { own: 120, ciphers: 5040, library: 760 });
    }

    #[test]
    fn what_is_not_understood_is_told() {
        assert_eq!(read("fn=x\n12 many").unwrap_err().line, 2);
        assert_eq!(read("fn=x\n0 1\n7").unwrap_err().line, 3);
    }
}
