using Skiff.Evaluation;
using Skiff.Inference;

namespace Skiff.Tests.Evaluation;

public sealed class TinyWorldTests
{
    [Fact]
    public void AnswersFollowFromTheirTexts()
    {
        TinyWorld world = new(3), same = new(3), other = new(4);
        Dictionary<string, string> known = [];
        SplitMix64 random = new(1);
        int told = 0;
        for (int i = 0; i < 4000; i++)
        {
            WorldSkill skill = (WorldSkill)(i % 4);
            ChoiceItem item = world.Item(skill, random);
            string answer = item.Choices[item.Gold].Trim();
            Assert.Equal(item.Choices.Count, item.Choices.Distinct().Count());
            if (skill == WorldSkill.Facts)
            {
                // A fact never changes.
                Assert.Equal(known.GetValueOrDefault(item.Question, answer), answer);
                known[item.Question] = answer;
            }
            else if (skill == WorldSkill.Coreference)
            {
                string[] words = item.Context[0].TrimEnd('.').Split(' ');
                Assert.Equal(words[1] == "gave" ? words[2] : words[0], answer);
            }
            else if (skill == WorldSkill.Tracking)
                Assert.EndsWith($"to the {answer}.", item.Context[^1]);
            else
                told += answer.Length;
        }

        Assert.True(told > 0 && known.Count > 60);
        // A seed is a world.
        Assert.Equal(world.Text(new SplitMix64(9)), same.Text(new SplitMix64(9)));
        Assert.NotEqual(world.Text(new SplitMix64(9)), other.Text(new SplitMix64(9)));
    }
}
