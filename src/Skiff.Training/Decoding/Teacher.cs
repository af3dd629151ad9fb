using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>A model that another learns from.</summary>
internal sealed class Teacher
{
    private Teacher(Model model, bool learns) => (Model, Learns) = (model, learns);

    /// <summary>The model.</summary>
    public Model Model { get; }

    /// <summary>It learns the text meanwhile.</summary>
    public bool Learns { get; }

    /// <summary>Opens the teacher of a recipe.</summary>
    /// <exception cref="InvalidInputException">Its vocabulary is not the student's, or it knows shorter texts.</exception>
    public static Teacher Open(RecipeDistill recipe, string source, ModelConfig student, Tokenizer tokenizer, int context)
    {
        Model model = Model.Open(recipe.Teacher);
        if (model.Config.VocabSize != student.VocabSize)
            throw new InvalidInputException(source, "distill.teacher", $"{recipe.Teacher} has a vocabulary of {model.Config.VocabSize}, the student one of {student.VocabSize}: a student needs its teacher's tokenizer");
        if (model.HasTokenizer && !ShardKey.OfTokenizer(model.Tokenizer).AsSpan().SequenceEqual(ShardKey.OfTokenizer(tokenizer)))
            throw new InvalidInputException(source, "distill.teacher", $"{recipe.Teacher} has another tokenizer than the student: name a teacher with the same");
        if (model.Config.MaxPositionEmbeddings < context)
            throw new InvalidInputException(source, "context_length", $"{context} tokens are more than the teacher's context of {model.Config.MaxPositionEmbeddings}");
        return new Teacher(model, recipe.TeacherRate > 0);
    }

    /// <summary>Places for its numbers, without any memory.</summary>
    public TrainingParameters Shadow() => new(ParameterList.Of(Model.Config), _ => Learns, shadow: true);

    /// <summary>Its numbers.</summary>
    public TrainingParameters Load()
    {
        TrainingParameters parameters = new(ParameterList.Of(Model.Config), _ => Learns);
        parameters.Load(Model.Parameter);
        return parameters;
    }
}
