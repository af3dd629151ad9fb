using System.Runtime.CompilerServices;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>
/// Prediction by partial matching (Cleary and Witten 1984) over bytes: contexts from <c>order</c> bytes down to none, then all
/// bytes alike. Escapes are method D's (Howard 1993): of <c>n</c> occurrences of <c>q</c> bytes in a context, one with
/// <c>c</c> has probability <c>(2c - 1) / 2n</c> and the escape <c>q / 2n</c>. What a longer context holds is excluded from the
/// shorter ones, and counted only down to the context that predicted it. Code lengths are ideal: no coder rounds them.
/// </summary>
/// <param name="order">Bytes of the longest context.</param>
internal sealed class PpmModel(int order)
{
    /// <summary>The most nodes: with <see cref="NodeBytes"/> it bounds the memory.</summary>
    public const int MostNodes = 1 << 24;

    private const int Root = 0;
    private const int Symbols = 256;

    // A node is a context and, at once, the count of its last byte behind the bytes before it.
    private Node[] _nodes = new Node[1 << 10];
    private int _used = 1;
    private int _context = Root;
    private int _length;

    // A byte is excluded where its mark is the present one.
    private readonly long[] _marks = new long[Symbols];
    private long _mark;

    /// <summary>Bytes of a node.</summary>
    public static int NodeBytes => Unsafe.SizeOf<Node>();

    /// <summary>Nodes in use.</summary>
    public int Nodes => _used;

    /// <summary>Bytes of memory held.</summary>
    public long Bytes => (long)_nodes.Length * NodeBytes;

    /// <summary>A model that knows the same and learns apart.</summary>
    public PpmModel Copy() => new(order) { _nodes = [.. _nodes], _used = _used, _context = _context, _length = _length };

    /// <summary>The bits that the text takes behind all text before, learning from each byte once it is coded.</summary>
    /// <exception cref="InvalidInputException">The text has more contexts than <see cref="MostNodes"/>.</exception>
    public double Code(ReadOnlySpan<byte> text)
    {
        double bits = 0;
        foreach (byte symbol in text)
        {
            bits -= Math.Log2(Probability(symbol));
            Learn(symbol);
        }

        return bits;
    }

    /// <summary>Learns a text without coding it.</summary>
    /// <exception cref="InvalidInputException">The text has more contexts than <see cref="MostNodes"/>.</exception>
    public void Learn(ReadOnlySpan<byte> text)
    {
        foreach (byte symbol in text)
            Learn(symbol);
    }

    /// <summary>The probability that a byte comes next; over all 256 the sum is 1.</summary>
    public double Probability(byte symbol)
    {
        _mark++;
        double escapes = 1;
        int excluded = 0;
        for (int context = _context; ; context = _nodes[context].Shorter)
        {
            long total = 0, count = 0;
            int distinct = 0;
            for (int at = _nodes[context].First; at != Root; at = _nodes[at].Next)
            {
                ref readonly Node node = ref _nodes[at];
                if (_marks[node.Symbol] == _mark)
                    continue;
                _marks[node.Symbol] = _mark;
                total += node.Count;
                distinct++;
                if (node.Symbol == symbol)
                    count = node.Count;
            }

            excluded += distinct;
            // Where every byte is known there is nothing to escape to.
            if (count > 0)
                return escapes * (excluded == Symbols ? (double)count / total : ((2 * count) - 1) / (2.0 * total));
            if (distinct > 0)
                escapes *= distinct / (2.0 * total);
            if (context == Root)
                return escapes / (Symbols - excluded);
        }
    }

    private void Learn(byte symbol)
    {
        int longest = Root, before = Root;
        for (int context = _context; ; context = _nodes[context].Shorter)
        {
            int at = _nodes[context].First;
            while (at != Root && _nodes[at].Symbol != symbol)
                at = _nodes[at].Next;
            bool known = at != Root;
            if (known)
                _nodes[at].Count++;
            else
                at = Add(context, symbol);

            if (before == Root)
                longest = at;
            else
                _nodes[before].Shorter = at;
            before = at;
            if (known || context == Root)
                break;
        }

        bool grows = _length < order;
        _context = grows ? longest : _nodes[longest].Shorter;
        _length += grows ? 1 : 0;
    }

    // A node new behind the empty context keeps the root as its shorter one.
    private int Add(int context, byte symbol)
    {
        if (_used == MostNodes)
            throw new InvalidInputException("ppm", "contexts", $"the text has more than {MostNodes}: give less of it");
        if (_used == _nodes.Length)
            Array.Resize(ref _nodes, 2 * _nodes.Length);
        _nodes[_used] = new Node { Next = _nodes[context].First, Count = 1, Symbol = symbol };
        _nodes[context].First = _used;
        return _used++;
    }

    private struct Node
    {
        /// <summary>The first byte seen behind this context.</summary>
        public int First;

        /// <summary>The next byte seen behind the same context as this one.</summary>
        public int Next;

        /// <summary>The context without its first byte.</summary>
        public int Shorter;

        /// <summary>How often the byte was counted.</summary>
        public int Count;

        /// <summary>The byte.</summary>
        public byte Symbol;
    }
}
