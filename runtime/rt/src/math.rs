//! The mathematical functions of floats that no machine instruction computes.

use crate::context::Cx;

macro_rules! functions {
    ($($name:ident = $method:ident($($param:ident),+);)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(_: Cx, $($param: f64),+) -> f64 {
            f64::$method($($param),+)
        }
    )*};
}

functions! {
    reml_math_sin = sin(x);
    reml_math_cos = cos(x);
    reml_math_tan = tan(x);
    reml_math_asin = asin(x);
    reml_math_acos = acos(x);
    reml_math_atan = atan(x);
    reml_math_sinh = sinh(x);
    reml_math_cosh = cosh(x);
    reml_math_tanh = tanh(x);
    reml_math_exp = exp(x);
    reml_math_exp2 = exp2(x);
    reml_math_exp_m1 = exp_m1(x);
    reml_math_ln = ln(x);
    reml_math_ln_1p = ln_1p(x);
    reml_math_log2 = log2(x);
    reml_math_log10 = log10(x);
    reml_math_cbrt = cbrt(x);
    reml_math_atan2 = atan2(y, x);
    reml_math_pow = powf(x, y);
    reml_math_hypot = hypot(x, y);
}

/// C's `fmod`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_float_rem(_: Cx, x: f64, y: f64) -> f64 {
    x % y
}
