//! Field multiplication with `mulx`, `adcx` and `adox`: two carry chains at once.
//!
//! Must be reached only through [`super::Backend::detect`], which has seen that the processor has these instructions.
#![expect(
    unsafe_code,
    reason = "inline assembly and AVX2 intrinsics; each block says why it is sound"
)]

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_blendv_epi8, _mm256_cmpeq_epi64, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::{Arith, P};
use crate::sm2::limbs::{self, Limbs, Mask};
use crate::sm2::point::Affine;

/// The implementation for x86-64 processors since Broadwell and Zen.
pub(crate) struct Adx;

/// One step of the reduction: with m = `$x0`, adds m·p and drops the limb that becomes zero, which then holds the new
/// highest one. m·p + m = m·(2^256 − 2^224 − 2^96 + 2^64), so it is two subtractions of m·2^32 and two additions of m.
macro_rules! reduction_step {
    ($x0:literal, $x1:literal, $x2:literal, $x3:literal) => {
        concat!(
            "mov rax, ",
            $x0,
            "\n",
            "mov rdi, ",
            $x0,
            "\n",
            "mov rdx, ",
            $x0,
            "\n",
            "shl rax, 32\n",
            "shr rdi, 32\n",
            "sub ",
            $x1,
            ", rax\n",
            "sbb ",
            $x2,
            ", rdi\n",
            "sbb ",
            $x3,
            ", rax\n",
            "sbb ",
            $x0,
            ", rdi\n",
            "add ",
            $x1,
            ", rdx\n",
            "adc ",
            $x2,
            ", 0\n",
            "adc ",
            $x3,
            ", 0\n",
            "adc ",
            $x0,
            ", 0\n",
        )
    };
}

/// Reduces the product in r8–r15 and leaves it, below p, in r8–r11.
macro_rules! reduction {
    () => {
        concat!(
            reduction_step!("r8", "r9", "r10", "r11"),
            reduction_step!("r9", "r10", "r11", "r8"),
            reduction_step!("r10", "r11", "r8", "r9"),
            reduction_step!("r11", "r8", "r9", "r10"),
            "xor eax, eax\n",
            "add r12, r8\n",
            "adc r13, r9\n",
            "adc r14, r10\n",
            "adc r15, r11\n",
            "adc rax, 0\n",
            "mov rdi, 0xffffffff00000000\n",
            "mov rdx, 0xfffffffeffffffff\n",
            "mov r8, r12\n",
            "mov r9, r13\n",
            "mov r10, r14\n",
            "mov r11, r15\n",
            "sub r8, -1\n",
            "sbb r9, rdi\n",
            "sbb r10, -1\n",
            "sbb r11, rdx\n",
            "sbb rax, 0\n",
            "cmovc r8, r12\n",
            "cmovc r9, r13\n",
            "cmovc r10, r14\n",
            "cmovc r11, r15\n",
        )
    };
}

impl Arith for Adx {
    #[inline]
    fn mul(a: &Limbs, b: &Limbs) -> Limbs {
        let (r0, r1, r2, r3);
        // SAFETY: reads 32 bytes at each pointer, writes only the registers it names, and the instructions were
        // detected (module documentation).
        unsafe {
            asm!(
                "mov rdx, [rcx]",
                "mulx r9, r8, [rsi]",
                "mulx r10, rax, [rsi + 8]",
                "add r9, rax",
                "mulx r11, rax, [rsi + 16]",
                "adc r10, rax",
                "mulx r12, rax, [rsi + 24]",
                "adc r11, rax",
                "adc r12, 0",

                "mov rdx, [rcx + 8]",
                "xor r13d, r13d",
                "mulx rdi, rax, [rsi]",
                "adcx r9, rax", "adox r10, rdi",
                "mulx rdi, rax, [rsi + 8]",
                "adcx r10, rax", "adox r11, rdi",
                "mulx rdi, rax, [rsi + 16]",
                "adcx r11, rax", "adox r12, rdi",
                "mulx rdi, rax, [rsi + 24]",
                "mov edx, 0",
                "adcx r12, rax", "adox r13, rdi",
                "adcx r13, rdx",

                "mov rdx, [rcx + 16]",
                "xor r14d, r14d",
                "mulx rdi, rax, [rsi]",
                "adcx r10, rax", "adox r11, rdi",
                "mulx rdi, rax, [rsi + 8]",
                "adcx r11, rax", "adox r12, rdi",
                "mulx rdi, rax, [rsi + 16]",
                "adcx r12, rax", "adox r13, rdi",
                "mulx rdi, rax, [rsi + 24]",
                "mov edx, 0",
                "adcx r13, rax", "adox r14, rdi",
                "adcx r14, rdx",

                "mov rdx, [rcx + 24]",
                "xor r15d, r15d",
                "mulx rdi, rax, [rsi]",
                "adcx r11, rax", "adox r12, rdi",
                "mulx rdi, rax, [rsi + 8]",
                "adcx r12, rax", "adox r13, rdi",
                "mulx rdi, rax, [rsi + 16]",
                "adcx r13, rax", "adox r14, rdi",
                "mulx rdi, rax, [rsi + 24]",
                "mov edx, 0",
                "adcx r14, rax", "adox r15, rdi",
                "adcx r15, rdx",

                reduction!(),
                in("rsi") a.as_ptr(), in("rcx") b.as_ptr(),
                out("rax") _, out("rdx") _, out("rdi") _,
                out("r8") r0, out("r9") r1, out("r10") r2, out("r11") r3,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline]
    fn sqr(a: &Limbs) -> Limbs {
        let (r0, r1, r2, r3);
        // SAFETY: as for `mul`.
        unsafe {
            asm!(
                // The products of different limbs, once.
                "mov rdx, [rsi]",
                "mulx r10, r9, [rsi + 8]",
                "mulx r11, rax, [rsi + 16]",
                "add r10, rax",
                "mulx r12, rax, [rsi + 24]",
                "adc r11, rax",
                "adc r12, 0",
                "mov rdx, [rsi + 8]",
                "xor r13d, r13d",
                "mulx rdi, rax, [rsi + 16]",
                "adcx r11, rax", "adox r12, rdi",
                "mulx rdi, rax, [rsi + 24]",
                "mov edx, 0",
                "adcx r12, rax", "adox r13, rdi",
                "adcx r13, rdx",
                "mov rdx, [rsi + 16]",
                "mulx r14, rax, [rsi + 24]",
                "add r13, rax",
                "adc r14, 0",
                // Doubled, with the squares of the limbs added.
                "xor r15d, r15d",
                "mov rdx, [rsi]",
                "mulx rdi, r8, rdx",
                "adcx r9, r9", "adox r9, rdi",
                "mov rdx, [rsi + 8]",
                "mulx rdi, rax, rdx",
                "adcx r10, r10", "adox r10, rax",
                "adcx r11, r11", "adox r11, rdi",
                "mov rdx, [rsi + 16]",
                "mulx rdi, rax, rdx",
                "adcx r12, r12", "adox r12, rax",
                "adcx r13, r13", "adox r13, rdi",
                "mov rdx, [rsi + 24]",
                "mulx rdi, rax, rdx",
                "adcx r14, r14", "adox r14, rax",
                "adcx r15, r15", "adox r15, rdi",

                reduction!(),
                in("rsi") a.as_ptr(),
                out("rax") _, out("rdx") _, out("rdi") _,
                out("r8") r0, out("r9") r1, out("r10") r2, out("r11") r3,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn add(a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: reads 32 bytes at the pointer, and otherwise touches only the registers it names.
        unsafe {
            asm!(
                "mov {c:e}, 0",
                "add {r0}, [{b}]", "adc {r1}, [{b} + 8]", "adc {r2}, [{b} + 16]", "adc {r3}, [{b} + 24]", "adc {c}, 0",
                "mov {t0}, {r0}", "mov {t1}, {r1}", "mov {t2}, {r2}", "mov {t3}, {r3}",
                "sub {t0}, -1", "sbb {t1}, {p1}", "sbb {t2}, -1", "sbb {t3}, {p3}", "sbb {c}, 0",
                "cmovnc {r0}, {t0}", "cmovnc {r1}, {t1}", "cmovnc {r2}, {t2}", "cmovnc {r3}, {t3}",
                r0 = inout(reg) r0, r1 = inout(reg) r1, r2 = inout(reg) r2, r3 = inout(reg) r3,
                b = in(reg) b.as_ptr(), p1 = in(reg) P[1], p3 = in(reg) P[3],
                c = out(reg) _, t0 = out(reg) _, t1 = out(reg) _, t2 = out(reg) _, t3 = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn sub(a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: as for `add`.
        unsafe {
            asm!(
                "sub {r0}, [{b}]", "sbb {r1}, [{b} + 8]", "sbb {r2}, [{b} + 16]", "sbb {r3}, [{b} + 24]",
                "sbb {c}, {c}",
                "mov {t1}, {p1}", "mov {t3}, {p3}", "and {t1}, {c}", "and {t3}, {c}",
                "add {r0}, {c}", "adc {r1}, {t1}", "adc {r2}, {c}", "adc {r3}, {t3}",
                r0 = inout(reg) r0, r1 = inout(reg) r1, r2 = inout(reg) r2, r3 = inout(reg) r3,
                b = in(reg) b.as_ptr(), p1 = in(reg) P[1], p3 = in(reg) P[3],
                c = out(reg) _, t1 = out(reg) _, t3 = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn half(a: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: touches only the registers it names.
        unsafe {
            asm!(
                "mov {c}, {r0}", "and {c}, 1", "neg {c}",
                "mov {t1}, {p1}", "mov {t3}, {p3}", "and {t1}, {c}", "and {t3}, {c}",
                "add {r0}, {c}", "adc {r1}, {t1}", "adc {r2}, {c}", "adc {r3}, {t3}",
                "rcr {r3}, 1", "rcr {r2}, 1", "rcr {r1}, 1", "rcr {r0}, 1",
                r0 = inout(reg) r0, r1 = inout(reg) r1, r2 = inout(reg) r2, r3 = inout(reg) r3,
                p1 = in(reg) P[1], p3 = in(reg) P[3],
                c = out(reg) _, t1 = out(reg) _, t3 = out(reg) _,
                options(pure, nomem, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn select(mask: Mask, a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *b;
        // SAFETY: as for `add`.
        unsafe {
            asm!(
                "test {mask}, {mask}",
                "cmovnz {r0}, [{a}]", "cmovnz {r1}, [{a} + 8]", "cmovnz {r2}, [{a} + 16]", "cmovnz {r3}, [{a} + 24]",
                r0 = inout(reg) r0, r1 = inout(reg) r1, r2 = inout(reg) r2, r3 = inout(reg) r3,
                a = in(reg) a.as_ptr(), mask = in(reg) mask.word(),
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline]
    fn lookup(table: &[Affine], index: u64) -> Affine {
        // SAFETY: AVX2 was detected (module documentation).
        unsafe { lookup(table, index) }
    }
}

/// Two entries per step, each with sums of its own, so that four units work at once.
#[target_feature(enable = "avx2")]
fn lookup(table: &[Affine], index: u64) -> Affine {
    let zero = _mm256_setzero_si256();
    let (mut even, mut odd) = ([zero; 2], [zero; 2]);
    let wanted = _mm256_set1_epi64x(index as i64);
    let (one, two) = (_mm256_set1_epi64x(1), _mm256_set1_epi64x(2));
    let mut candidate = zero;
    let add = |sum: &mut [__m256i; 2], candidate, entry: &Affine| {
        let mask = _mm256_cmpeq_epi64(candidate, wanted);
        sum[0] = _mm256_blendv_epi8(sum[0], load(&entry.x), mask);
        sum[1] = _mm256_blendv_epi8(sum[1], load(&entry.y), mask);
    };
    let (pairs, rest) = table.as_chunks::<2>();
    for [first, second] in pairs {
        add(&mut even, candidate, first);
        add(&mut odd, _mm256_add_epi64(candidate, one), second);
        candidate = _mm256_add_epi64(candidate, two);
    }
    if let [last] = rest {
        add(&mut even, candidate, last);
    }
    Affine {
        x: store(_mm256_or_si256(even[0], odd[0])),
        y: store(_mm256_or_si256(even[1], odd[1])),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(limbs: &Limbs) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(limbs.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(value: __m256i) -> Limbs {
    let mut limbs = limbs::ZERO;
    // SAFETY: the reference is to 32 writable bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(limbs.as_mut_ptr().cast(), value) }
    limbs
}
