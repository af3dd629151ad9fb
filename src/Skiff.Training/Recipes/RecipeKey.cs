using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Skiff.Training;

/// <summary>A key that a recipe's record has: one of its properties.</summary>
/// <param name="Name">The key: the property's name in snake case.</param>
/// <param name="Property">The property.</param>
/// <param name="Type">Its type, without the question mark.</param>
/// <param name="MayBeNull">Null is a value of it.</param>
/// <param name="Required">It has no default.</param>
/// <param name="Range">The numbers it may be.</param>
internal sealed record RecipeKey(string Name, PropertyInfo Property, Type Type, bool MayBeNull, bool Required, RangeAttribute? Range)
{
    private static readonly ConcurrentDictionary<Type, IReadOnlyList<RecipeKey>> s_keys = new();

    /// <summary>The keys of a record in their order there.</summary>
    public static IReadOnlyList<RecipeKey> Of(Type record) => s_keys.GetOrAdd(record, static type =>
        [.. type.GetProperties().Where(property => property.CanWrite && property.PropertyType != typeof(JsonObject)).OrderBy(property => property.MetadataToken).Select(Of)]);

    /// <summary>The property that takes the keys that are no other property's, or null where a record knows all its keys.</summary>
    public static PropertyInfo? OtherKeys(Type record) => record.GetProperties().FirstOrDefault(property => property.PropertyType == typeof(JsonObject));

    /// <summary>A property's, type's or enumeration's name as recipes write it.</summary>
    public static string NameOf(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);

    private static RecipeKey Of(PropertyInfo property)
    {
        Type? inner = Nullable.GetUnderlyingType(property.PropertyType);
        bool mayBeNull = inner is not null || (!property.PropertyType.IsValueType && new NullabilityInfoContext().Create(property).WriteState == NullabilityState.Nullable);
        return new(
            NameOf(property.Name), property, inner ?? property.PropertyType, mayBeNull, property.IsDefined(typeof(RequiredMemberAttribute)), property.GetCustomAttribute<RangeAttribute>());
    }
}
