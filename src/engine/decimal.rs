//! Numbers in messages.

/// Appends a number; the general formatting machinery costs several times as much.
pub(crate) fn push_decimal(text: &mut String, value: u64) {
    let mut digits = [0; 20];
    let mut written = 0;
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        written += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for digit in digits.iter().skip(digits.len() - written) {
        text.push(char::from(*digit));
    }
}

#[cfg(test)]
mod tests {
    use super::push_decimal;

    #[test]
    fn every_number_is_written_as_elsewhere() {
        let powers = (0..20).map(|exponent| 10_u64.pow(exponent));
        let around = powers.flat_map(|power| [power - 1, power, power + 1]);
        for value in around.chain([u64::MAX, u64::MAX - 1, 3_600, 1_234_567_890]) {
            let mut text = String::from("=");
            push_decimal(&mut text, value);
            assert_eq!(text, format!("={value}"));
        }
    }
}
