using System.Text;
using CsCheck;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenizerAgreementTests
{
    private const int Texts = 2000;

    public static TheoryData<string> ByteExact => [.. TokenizerData.All.Where(p => !p.Contains("sentencepiece", StringComparison.Ordinal))];

    public static TheoryData<string> All => [.. TokenizerData.All];

    [Theory]
    [MemberData(nameof(ByteExact))]
    public void TextComesBackAsItWas(string path)
    {
        Tokenizer tokenizer = TokenizerData.Load(path);
        bool composes = tokenizer.Spec.Normalizer is UnicodeNormalizer;
        TokenizerTexts.Any.Sample(
            text =>
            {
                // SmolLM2 has no tokens for some bytes that only unassigned characters use, and drops them.
                if (path.StartsWith("smollm2", StringComparison.Ordinal) && Encoding.UTF8.GetBytes(text).Any(b => tokenizer.IdOf(ByteAlphabet.TextOf([b])) is null))
                    return;
                string expected = composes ? UnicodeForms.Normalize(text, compatibility: false, compose: true) : text;
                Assert.Equal(path.EndsWith("tok512.model", StringComparison.Ordinal) ? Tidy(expected) : expected, tokenizer.Decode(tokenizer.Encode(text, addSpecial: false)));
            },
            iter: Texts);
    }

    [Theory]
    [InlineData("phi3", "llama2/tokenizer.model")]
    [InlineData("phi3", "gguf/ggml-vocab-phi-3.gguf")]
    [InlineData("llama2/tokenizer.bin", "llama2/tokenizer.model")]
    [InlineData("gguf/ggml-vocab-llama-spm.gguf", "llama2/tokenizer.model")]
    [InlineData("gpt2", "gguf/ggml-vocab-gpt-2.gguf")]
    [InlineData("gpt-neox/tokenizer.json", "gguf/ggml-vocab-gpt-neox.gguf")]
    [InlineData("../models/stories260k/tok512.bin", "../models/stories260k/tok512.model")]
    public void TwoFilesOfOneTokenizerAgree(string first, string second)
    {
        Tokenizer one = TokenizerData.Load(first);
        Tokenizer other = TokenizerData.Load(second);
        // GGUF has no place for the normalization form.
        bool composes = one.Spec.Normalizer is UnicodeNormalizer;
        TokenizerTexts.Any.Sample(
            text =>
            {
                // The SentencePiece file says that extra spaces go; llama2.c's has no place for that.
                if (first.EndsWith("tok512.bin", StringComparison.Ordinal))
                    text = Tidy(text);
                if (composes)
                    text = UnicodeForms.Normalize(text, compatibility: false, compose: true);
                Assert.Equal(one.Encode(text, addSpecial: false), other.Encode(text, addSpecial: false));
            },
            iter: Texts);
        string page = Tidy(TokenizerData.Books[..200_000]);
        Assert.Equal(one.Encode(page, addSpecial: false), other.Encode(page, addSpecial: false));
    }

    [Fact]
    public void CodeGenIsGpt2WithTokensForRunsOfBlanks()
    {
        Tokenizer codegen = TokenizerData.Load("phi2-codegen/tokenizer.json");
        Tokenizer gpt2 = TokenizerData.Load("gpt2");
        Assert.Equal([50286], codegen.Encode("  "));
        TokenizerTexts.Any.Sample(
            text =>
            {
                if (!text.Contains("  ", StringComparison.Ordinal) && !text.Contains("\t\t", StringComparison.Ordinal))
                    Assert.Equal(gpt2.Encode(text), codegen.Encode(text));
            },
            iter: Texts);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void TheQuickPathEqualsThePartsRunAsWritten(string path)
    {
        Tokenizer tokenizer = TokenizerData.Load(path);
        TokenEncoder plain = new(tokenizer.Spec, plain: true);
        TokenizerTexts.Any.Sample(
            text =>
            {
                Workspace workspace = new();
                plain.Encode(text, workspace, addSpecial: true, parseSpecial: true);
                Assert.Equal(workspace.Ids[..workspace.Count], tokenizer.Encode(text));
            },
            iter: Texts / 4);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void SavedAndLoadedItGivesTheSameIds(string path)
    {
        Tokenizer tokenizer = TokenizerData.Load(path);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("skiff-tokenizer-");
        try
        {
            tokenizer.Save(folder.FullName);
            Tokenizer again = Tokenizer.Load(folder.FullName);
            Assert.Equal(
                (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.UnknownId, tokenizer.VocabularySize, tokenizer.ChatTemplate),
                (again.BosId, again.EosId, again.PadId, again.UnknownId, again.VocabularySize, again.ChatTemplate));
            AssertSame(tokenizer, again);
            Assert.Equal(3, folder.GetFiles().Length);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void ThroughGgufItGivesTheSameIds(string path)
    {
        Tokenizer tokenizer = TokenizerData.Load(path);
        GgufMetadata metadata = new();
        tokenizer.WriteGguf(metadata);
        Tokenizer again = Tokenizer.FromGguf(metadata, "written");
        Assert.Equal((tokenizer.BosId, tokenizer.EosId, tokenizer.ChatTemplate), (again.BosId, again.EosId, again.ChatTemplate));
        AssertSame(tokenizer, again);
    }

    private static string Tidy(string text) => string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static void AssertSame(Tokenizer tokenizer, Tokenizer again)
    {
        TokenizerTexts.Any.Sample(
            text =>
            {
                text = UnicodeForms.Normalize(text, compatibility: false, compose: true);
                int[] ids = tokenizer.Encode(text);
                Assert.Equal(ids, again.Encode(text));
                Assert.Equal(tokenizer.Decode(ids), again.Decode(ids));
                Assert.Equal(tokenizer.Decode(ids, skipSpecial: true), again.Decode(ids, skipSpecial: true));
            },
            iter: Texts / 4);
        string page = TokenizerData.Books[..50_000];
        Assert.Equal(tokenizer.Encode(page), again.Encode(page));
    }
}
