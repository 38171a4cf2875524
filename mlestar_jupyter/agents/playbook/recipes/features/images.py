
# == images: grey or colour values of every pixel
from PIL import Image

image_column, size = {{column}}, {{size}}
folder = Path(data_dir) / {{folder}}


def read_images(names):
    """Pictures of one size with values in [0, 1], shape (pictures, height, width, colours)."""
    pictures = [Image.open(folder / name).convert({{mode}}).resize(size) for name in names]
    return np.stack([np.asarray(p, dtype=np.float32).reshape(*size[::-1], -1) / 255 for p in pictures])


def describe(pictures):
    """One row of numbers for each picture."""
    return pictures.reshape(len(pictures), -1)


pictures, pictures_test = read_images(train[image_column]), read_images(test[image_column])
pixels, pixels_test = describe(pictures), describe(pictures_test)
names = [f"pixel_{number}" for number in range(pixels.shape[1])]
X = X.drop(columns=image_column).join(pd.DataFrame(pixels, columns=names, index=X.index))
X_test = X_test.drop(columns=image_column).join(pd.DataFrame(pixels_test, columns=names, index=X_test.index))
