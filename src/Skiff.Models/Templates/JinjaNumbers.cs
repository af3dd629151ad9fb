using System.Numerics;

namespace Skiff.Models;

/// <summary>Python's arithmetic: integers of any size (a long where it fits), doubles, and booleans that count as 0 and 1.</summary>
internal static class JinjaNumbers
{
    public static bool IsNumber(object? value) => value is bool or long or double or BigInteger;

    public static bool TryInteger(object? value, out BigInteger integer)
    {
        switch (value)
        {
            case bool flag:
                integer = flag ? 1 : 0;
                return true;
            case long number:
                integer = number;
                return true;
            case BigInteger big:
                integer = big;
                return true;
            default:
                integer = default;
                return false;
        }
    }

    public static double ToDouble(JinjaRuntime runtime, object value)
    {
        double number = value is BigInteger big ? (double)big : ToDouble(value);
        return value is BigInteger && double.IsInfinity(number) ? throw runtime.Fail("the integer is too large for a float") : number;
    }

    /// <summary>Ordering of two numbers, exact also between large integers and doubles; 2 where one is not a number.</summary>
    public static int Compare(object left, object right)
    {
        if (left is long a && right is long b)
            return a.CompareTo(b);
        bool leftInteger = TryInteger(left, out BigInteger first);
        bool rightInteger = TryInteger(right, out BigInteger second);
        if (leftInteger && rightInteger)
            return first.CompareTo(second);
        if (!leftInteger && !rightInteger)
            return CompareDoubles((double)left, (double)right);
        double number = leftInteger ? (double)right : (double)left;
        BigInteger integer = leftInteger ? first : second;
        if (double.IsNaN(number))
            return 2;
        int order;
        if (double.IsInfinity(number))
            order = number > 0 ? -1 : 1;
        else
            order = integer.CompareTo(new BigInteger(Math.Floor(number))) is int floor and not 0 ? floor : number > Math.Floor(number) ? -1 : 0;
        return leftInteger ? order : -order;
    }

    public static object Negate(JinjaRuntime runtime, object value)
    {
        if (value is double number)
            return -number;
        TryInteger(value, out BigInteger integer);
        return runtime.Integer(-integer);
    }

    /// <summary>One of <c>+ - * / // % **</c> between two numbers.</summary>
    public static object Apply(JinjaRuntime runtime, string op, object left, object right)
    {
        if (op is "+" or "-" or "*" && left is long x && right is long y)
        {
            Int128 exact = op switch { "+" => (Int128)x + y, "-" => (Int128)x - y, _ => (Int128)x * y };
            return exact >= long.MinValue && exact <= long.MaxValue ? (long)exact : runtime.Integer((BigInteger)exact);
        }

        if (!TryInteger(left, out BigInteger a) || !TryInteger(right, out BigInteger b))
            return Floating(runtime, op, ToDouble(runtime, left), ToDouble(runtime, right));
        runtime.Multiply(a.GetBitLength(), b.GetBitLength());
        if (op is "/" or "//" or "%" && b.IsZero)
            throw runtime.Fail("division by zero");
        switch (op)
        {
            case "+": return runtime.Integer(a + b);
            case "-": return runtime.Integer(a - b);
            case "*":
                runtime.CheckIntegerBits((double)a.GetBitLength() + b.GetBitLength() - 2);
                return runtime.Integer(a * b);
            case "/": return Finite(runtime, TrueDivide(a, b));
            case "//": return runtime.Integer(FloorDivide(a, b));
            case "%": return runtime.Integer(a - (FloorDivide(a, b) * b));
            default: return Power(runtime, a, b);
        }
    }

    private static int CompareDoubles(double left, double right) =>
        double.IsNaN(left) || double.IsNaN(right) ? 2 : left.CompareTo(right);

    private static double ToDouble(object value) => value switch
    {
        double number => number,
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => (double)(BigInteger)value,
    };

    private static double Floating(JinjaRuntime runtime, string op, double left, double right)
    {
        if (op is "/" or "//" or "%" && right == 0)
            throw runtime.Fail("division by zero");
        switch (op)
        {
            case "+": return left + right;
            case "-": return left - right;
            case "*": return left * right;
            case "/": return left / right;
            case "%": return Modulo(left, right);
            case "//": return FloorDivide(left, right);
            default:
                if (left == 0 && right < 0)
                    throw runtime.Fail("0.0 cannot be raised to a negative power");
                if (left < 0 && double.IsFinite(left) && double.IsFinite(right) && Math.Floor(right) != right)
                    throw runtime.Fail("a negative number to a fractional power is complex");
                double power = Math.Pow(left, right);
                return double.IsInfinity(power) && double.IsFinite(left) && double.IsFinite(right) ? throw runtime.Fail("the power is too large") : power;
        }
    }

    // The result has the sign of the divisor.
    private static double Modulo(double left, double right)
    {
        double rest = left % right;
        if (rest == 0)
            return Math.CopySign(0, right);
        return rest < 0 != right < 0 ? rest + right : rest;
    }

    private static double FloorDivide(double left, double right)
    {
        double rest = left % right;
        double quotient = (left - rest) / right;
        if (rest != 0 && rest < 0 != right < 0)
            quotient -= 1;
        if (quotient == 0)
            return Math.CopySign(0, left / right);
        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static BigInteger FloorDivide(BigInteger left, BigInteger right)
    {
        BigInteger quotient = BigInteger.DivRem(left, right, out BigInteger rest);
        return !rest.IsZero && rest.Sign != right.Sign ? quotient - 1 : quotient;
    }

    // 66 bits of quotient and a sticky bit, so that the one rounding to double is the right one.
    private static double TrueDivide(BigInteger left, BigInteger right)
    {
        if (left.IsZero)
            return right.Sign < 0 ? -0.0 : 0.0;
        int shift = (int)(66 - (left.GetBitLength() - right.GetBitLength()));
        BigInteger numerator = BigInteger.Abs(shift > 0 ? left << shift : left);
        BigInteger denominator = BigInteger.Abs(shift > 0 ? right : right << -shift);
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        if (!rest.IsZero)
            quotient |= 1;
        double magnitude = Math.ScaleB(RoundToDouble(quotient), -shift);
        return left.Sign * right.Sign < 0 ? -magnitude : magnitude;
    }

    private static double RoundToDouble(BigInteger value)
    {
        int drop = (int)value.GetBitLength() - 53;
        if (drop <= 0)
            return (double)value;
        BigInteger kept = value >> drop;
        int order = (value - (kept << drop)).CompareTo(BigInteger.One << (drop - 1));
        if (order > 0 || (order == 0 && !kept.IsEven))
            kept += 1;
        return Math.ScaleB((double)kept, drop);
    }

    private static double Finite(JinjaRuntime runtime, double value) =>
        double.IsFinite(value) ? value : throw runtime.Fail("the quotient is too large for a float");

    private static object Power(JinjaRuntime runtime, BigInteger value, BigInteger exponent)
    {
        if (exponent.Sign < 0)
            return Floating(runtime, "**", ToDouble(runtime, runtime.Integer(value)), ToDouble(runtime, runtime.Integer(exponent)));
        if (value.IsOne || value.IsZero || exponent.IsZero)
            return exponent.IsZero ? 1L : (object)(long)value;
        if (value == BigInteger.MinusOne)
            return exponent.IsEven ? 1L : -1L;
        double bits = (double)exponent * (value.GetBitLength() - 1);
        runtime.CheckIntegerBits(bits);
        runtime.Multiply((long)bits, (long)bits);
        return runtime.Integer(BigInteger.Pow(value, (int)exponent));
    }
}
